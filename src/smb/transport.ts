import { isIP, type Socket } from 'node:net'
import { errnoOf, NbtrunError, outOfDescriptors } from '../base/errors.ts'
import { now, pause, spell } from '../base/time.ts'
import { dial, limited } from '../nbt/dial.ts'
import { type FindHost, findInDns, type Found } from '../nbt/find.ts'
import type { FrameKind } from '../nbt/frames.ts'
import type { ByAddress, CallAttempt, LadderOptions } from '../nbt/ladder.ts'
import { parseName, spellName, SUFFIX } from '../nbt/names.ts'
import type { ResolveAttempt } from '../nbt/resolve.ts'
import { type MessageStream, SocketStream } from '../nbt/stream.ts'

/** What SMB stands on: a connection that carries whole messages, whichever port it uses. */
export type Transport = MessageStream

/** One thing that was tried to reach a server. */
export type ReachAttempt = ResolveAttempt | CallAttempt

/** An open one, and how it came about. */
export interface Opened extends Transport {
  readonly foundBy: Found['by']
  /** What was dialled: a RETARGET may have led away from there. */
  readonly dialled: number
  /** The name that the server took on 139: `FILES<20>`. */
  readonly calledName: string | undefined
}

export interface TransportOptions {
  /** A name or an IP address. */
  readonly host: string
  /** `auto`: port 445, and 139 when 445 refused or did not answer within 300 ms. A port given with `auto` decides: 139 is nbt, any other tcp. */
  readonly mode: 'auto' | 'nbt' | 'tcp'
  readonly port?: number | undefined
  /** Port numbers instead of 445 and 139. */
  readonly ports?: { readonly tcp: number; readonly nbt: number; readonly name?: number } | undefined
  /** For 139, `NAME` or `NAME#suffix`; without it the host's first label, `*SMBSERVER`, and what the server's node status says. */
  readonly calledName?: string | undefined
  /** For 139; without it this machine's name. */
  readonly callingName?: string | undefined
  /** For 139 and a server that is given by its address: `status` passes `*SMBSERVER` over, as NT 4.0 SP5 did. */
  readonly byAddress?: ByAddress | undefined
  /** NetBIOS scope of both names. */
  readonly scope?: string | undefined
  /** Finds the addresses of a name; what DNS says unless told. */
  readonly find?: FindHost | undefined
  /** For 139: asks a node for its names; from a port of its own unless told. */
  readonly status?: LadderOptions['status'] | undefined
  /** Told of each thing that was tried, as it ends: where the name was looked for, and, on 139, what was called. */
  readonly trace?: ((attempt: ReachAttempt) => void) | undefined
  /** For everything: looking up the name, connecting, the session request. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What a connection fails of that the server ends in good order. */
export function hungUp(host: string): NbtrunError {
  return new NbtrunError('CONNECTION_LOST', `${host} closed the connection`, { facts: { errno: 'EIO' } })
}

/** How long port 445 has for itself. */
const HEAD_START_MS = 300

/** A port, and how messages are framed there. */
export interface Way {
  readonly kind: FrameKind
  readonly port: number
}

interface Connected {
  readonly socket: Socket
  readonly way: Way
  /** Where it leads: another place than was dialled after a RETARGET. */
  readonly address: string
  /** Of 139. */
  readonly calledName?: string
  readonly dialled?: number
}

/** Takes down why a port of an address did not work. */
type Note = (port: number, why: string) => void

/**
 * Connects to a server: 445 first, 139 when that fails or is slow, each of its addresses in turn. Rejects with HOST_NOT_FOUND, CONNECT_FAILED naming
 * every attempt, CALLED_NAME_REFUSED, USAGE (names), or the signal's reason; nothing is left open then.
 */
export async function openTransport(options: TransportOptions): Promise<Opened> {
  const { host, timeoutMs, signal, trace, find = findInDns } = options
  const ways = waysOf(options)
  for (const [name, suffix] of [
    [options.calledName, SUFFIX.SERVER],
    [options.callingName, SUFFIX.WORKSTATION],
  ] as const)
    if (name !== undefined) parseName(name, suffix, options.scope) // judged before anything is dialled
  const dueAt = now() + timeoutMs
  const locate = async (limit: AbortSignal): Promise<Found> => {
    if (isIP(host) !== 0) return { addresses: [host], by: 'address' }
    try {
      return await find(host, { timeoutMs, signal: limit, trace })
    } catch (thrown) {
      signal?.throwIfAborted() // whatever it failed of, that is why
      throw thrown
    }
  }
  return limited(signal, timeoutMs, `connecting to ${host}`, async limit => {
    const { addresses, by: foundBy } = await locate(limit)
    const failures: string[] = []
    let refusal: NbtrunError | undefined
    for (const [i, address] of addresses.entries()) {
      const whys = new Map<number, string>()
      const note: Note = (port, why) => whys.set(port, why)
      const part = Math.max(1, (dueAt - now()) / (addresses.length - i)) // a silent address leaves the others their part
      try {
        const {
          socket,
          way,
          calledName,
          dialled = way.port,
          ...at
        } = await limited(limit, part, `connecting to ${address}`, inner => race(ways, inner, (way, stop) => connect(way, address, part, options, stop, note)))
        const stream = new SocketStream(socket, way.kind, at.address, way.port)
        return Object.assign(stream, { foundBy, calledName, dialled })
      } catch (thrown) {
        signal?.throwIfAborted()
        const short = outOfDescriptors(thrown) // which says nothing about the server
        if (short !== undefined) throw short
        if (isRefusal(thrown)) {
          if (addresses.length === 1) throw thrown
          refusal ??= thrown // an address that a name server still has may be another host's today
          failures.push(thrown.message)
          continue
        }
        if (whys.size === 0 && !limit.aborted) throw thrown // no failure to connect: a defect
        const place = addresses.length === 1 ? '' : `${address} port `
        for (const { port } of ways) if (whys.has(port)) failures.push(`${place}${port}: ${whys.get(port)}`)
      }
    }
    if (refusal !== undefined) {
      const { cause, facts, hint } = refusal
      throw new NbtrunError('CALLED_NAME_REFUSED', `cannot connect to ${host} (${failures.join('; ')})`, {
        cause,
        facts,
        ...(hint === undefined ? {} : { hint }),
      })
    }
    const ports = ways.map(way => way.port).join(' or ')
    throw new NbtrunError('CONNECT_FAILED', `cannot connect to ${host} (${failures.join(', ')})`, {
      hint: `check that it is on, that it shares files, and that no firewall closes port ${ports}`,
    })
  })
}

/** The ports that are tried, the first one first. */
export function waysOf({ mode, port, ports = { tcp: 445, nbt: 139 } }: Pick<TransportOptions, 'mode' | 'port' | 'ports'>): readonly [Way, ...Way[]] {
  if (mode !== 'auto') return [{ kind: mode, port: port ?? ports[mode] }]
  if (port !== undefined) return [{ kind: port === 139 ? 'nbt' : 'tcp', port }]
  return [
    { kind: 'tcp', port: ports.tcp },
    { kind: 'nbt', port: ports.nbt },
  ]
}

/**
 * The first way that leads to a server; the second one starts when the first failed or had its head start. The loser ends, and leaves no connection. A port that drops
 * what it is sent is not waited for when the other one has refused the name.
 */
async function race(
  [first, second]: readonly [Way, ...Way[]],
  signal: AbortSignal,
  attempt: (way: Way, stop: AbortSignal) => Promise<Connected>,
): Promise<Connected> {
  const stop = new AbortController()
  const follow = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', follow, { once: true })
  try {
    const direct = attempt(first, stop.signal)
    if (second === undefined) return await direct
    const early = await Promise.race([direct.catch(() => undefined), pause(HEAD_START_MS, stop.signal)])
    if (early !== undefined) return early
    signal.throwIfAborted()
    let refusal: unknown
    const called = attempt(second, stop.signal).catch((thrown: unknown) => {
      if (isRefusal(thrown)) stop.abort((refusal = thrown))
      throw thrown
    })
    return await Promise.any([direct, called]).catch((thrown: unknown) => {
      throw refusal ?? thrown
    })
  } finally {
    signal.removeEventListener('abort', follow)
    stop.abort(new NbtrunError('CANCELLED', 'the other port answered first')) // reaches the loser before its connect event can
  }
}

/** TCP, and on 139 the session. */
async function connect(way: Way, address: string, timeoutMs: number, options: TransportOptions, signal: AbortSignal, note: Note): Promise<Connected> {
  const began = now()
  try {
    const connected = { way, address, socket: await dial(address, way.port, signal) }
    return way.kind === 'tcp' ? connected : await openSession(connected, options, timeoutMs, signal)
  } catch (thrown) {
    if (!isRefusal(thrown)) note(way.port, whyNot(thrown, now() - began))
    throw thrown
  }
}

function isRefusal(thrown: unknown): thrown is NbtrunError {
  return thrown instanceof NbtrunError && thrown.code === 'CALLED_NAME_REFUSED'
}

/** The session request on 139, under one called name after the other. */
async function openSession({ socket, way, address }: Connected, options: TransportOptions, timeoutMs: number, signal: AbortSignal): Promise<Connected> {
  try {
    // port 139 is rare: what it needs is loaded when it is used
    const [{ climb }, { statusFor }] = await Promise.all([import('../nbt/ladder.ts'), import('../nbt/api.ts')])
    const name = options.ports?.name
    const status = options.status ?? statusFor(name === undefined ? {} : { ports: { name } })
    const called = await climb({ ...options, address, port: way.port, socket, timeoutMs, status, signal })
    return {
      way: { kind: way.kind, port: called.port },
      socket: called.socket,
      address: called.address,
      calledName: spellName(called.called),
      dialled: way.port,
    }
  } catch (thrown) {
    socket.destroy() // nobody may have taken it over yet
    throw thrown
  }
}

/** Why there is no connection, in people's words. */
export function whyNot(thrown: unknown, ms: number): string {
  const code = thrown instanceof NbtrunError ? thrown.code : errnoOf(thrown)
  switch (code) {
    case 'TIMED_OUT':
    case 'CANCELLED':
      return `no answer within ${spell(ms)}`
    case 'ECONNREFUSED':
      return 'refused'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route'
    case 'ETIMEDOUT':
      return 'no answer'
    default:
      return thrown instanceof Error ? thrown.message : String(thrown)
  }
}
