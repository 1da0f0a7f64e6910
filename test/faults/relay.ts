import { deferred } from '../../src/base/time.ts'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import { field, proxy, type Wire } from '../story/proxy.ts'
import { framed } from '../story/story.ts'

/** Whether this is the packet: asked for each that the client sends, in their order. */
export type Matcher = (frame: Buffer) => boolean

/** The nth packet of that command. */
export function nth(command: CommandName, n: number): Matcher {
  let seen = 0
  return frame => field.command(frame) === COMMAND[command] && ++seen === n
}

/** The CLOSE of a file to which something was written. FileIds: [MS-SMB2] 2.2.15 and 2.2.21. */
export function closeOfWritten(): Matcher {
  const written = new Set<string>()
  const id = (frame: Buffer, at: number): string => frame.toString('hex', at, at + 16)
  return frame => {
    if (field.command(frame) === COMMAND.WRITE) written.add(id(frame, 80))
    return field.command(frame) === COMMAND.CLOSE && written.has(id(frame, 72))
  }
}

/** A way to spoil an answer. */
export type Garble = (frame: Buffer) => Buffer

/** A relay before a real server, which holds one packet of the client's. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  /** Resolves when the packet is held. */
  readonly held: Promise<void>
  /** Lets it go on; nothing where none is held. */
  release(): void
  /** Sends RST to both sides of each connection; returns how many there are. */
  reset(): number
  /** Spoils the next answer; one that only says that it will take longer is none, and not signed. */
  spoil(garble: Garble): void
  /** How many answers were spoilt. */
  readonly spoilt: number
}

/** `matcher` undefined: nothing is held. */
export async function relay(server: string, address: string, matcher?: Matcher): Promise<Relay> {
  const held = deferred<void>()
  const wires = new Set<Wire>()
  let isHeld = false
  let go: (() => void) | undefined
  let garble: Garble | undefined
  let spoilt = 0
  const between = await proxy(
    { host: server, port: 445 },
    {
      fromClient(frame, wire) {
        wires.add(wire)
        if (isHeld || matcher?.(frame) !== true) return frame
        isHeld = true
        go = () => void wire.server.write(framed(frame))
        held.resolve()
        return undefined
      },
      fromServer(frame) {
        if (garble === undefined || isInterim(frame)) return frame
        const bad = garble(frame)
        garble = undefined
        spoilt++
        return bad
      },
    },
    address,
  )
  return {
    port: between.port,
    held: held.promise,
    release() {
      go?.()
      go = undefined
    },
    reset() {
      go = undefined
      const whole = [...wires].filter(wire => sides(wire).every(side => side.readyState === 'open'))
      for (const wire of wires) for (const side of sides(wire)) side.resetAndDestroy()
      return whole.length
    },
    spoil(how) {
      garble = how
    },
    get spoilt() {
      return spoilt
    },
    [Symbol.asyncDispose]: () => between[Symbol.asyncDispose](),
  }
}

/** [MS-SMB2] 3.3.4.2: STATUS_PENDING. */
const isInterim = (frame: Buffer): boolean => frame.length >= 64 && field.status(frame) === 0x103

const sides = ({ client, server }: Wire): Wire['client'][] => [client, server]
