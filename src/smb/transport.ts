import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { now, pause, spell } from '../base/time.ts'
import { callSession } from '../nbt/call.ts'
import { dial, limited, unlessAborted } from '../nbt/dial.ts'
import type { FrameKind } from '../nbt/frames.ts'
import { type NetbiosName, parseName, SMBSERVER, SUFFIX } from '../nbt/names.ts'
import { type MessageStream, SocketStream } from '../nbt/stream.ts'

/** What SMB stands on: a connection that carries whole messages, whichever port it uses. */
export type Transport = MessageStream

export interface TransportOptions {
  /** A name or an IP address. */
  readonly host: string
  /** `auto`: port 445, and 139 when 445 refused or did not answer within 300 ms. A port given with `auto` decides: 139 is nbt, any other tcp. */
  readonly mode: 'auto' | 'nbt' | 'tcp'
  readonly port?: number | undefined
  /** Port numbers instead of 445 and 139. */
  readonly ports?: { readonly tcp: number; readonly nbt: number } | undefined
  /** For 139, `NAME` or `NAME#suffix`; without it the host's first label and then `*SMBSERVER`. */
  readonly calledName?: string | undefined
  /** For 139; without it this machine's name. */
  readonly callingName?: string | undefined
  /** NetBIOS scope of both names. */
  readonly scope?: string | undefined
  /** For everything: looking up the name, connecting, the session request. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** How long port 445 has for itself. */
const HEAD_START_MS = 300

interface Way {
  readonly kind: FrameKind
  readonly port: number
}

interface Connected {
  readonly socket: Socket
  readonly way: Way
}

/** Takes down why a port of an address did not work. */
type Note = (port: number, why: string) => void

/**
 * Connects to a server: 445 first, 139 when that fails or is slow, each of its addresses in turn. Rejects with HOST_NOT_FOUND, CONNECT_FAILED naming
 * every attempt, CALLED_NAME_REFUSED, USAGE (names), or the signal's reason; nothing is left open then.
 */
export async function openTransport(options: TransportOptions): Promise<Transport & { readonly foundBy: 'address' | 'dns' }> {
  const { host, timeoutMs, signal } = options
  const ways = waysOf(options)
  const names = { called: calledNames(options), calling: parseName(options.callingName ?? ownName(), SUFFIX.WORKSTATION, options.scope) }
  const foundBy = isIP(host) === 0 ? 'dns' : 'address'
  const dueAt = now() + timeoutMs
  return limited(signal, timeoutMs, `connecting to ${host}`, async limit => {
    const addresses = foundBy === 'dns' ? await lookUp(options, limit) : [host]
    const failures: string[] = []
    for (const [i, address] of addresses.entries()) {
      const whys = new Map<number, string>()
      const note: Note = (port, why) => whys.set(port, why)
      const part = Math.max(1, (dueAt - now()) / (addresses.length - i)) // a silent address leaves the others their part
      try {
        const { socket, way } = await limited(limit, part, `connecting to ${address}`, async inner => {
          const connected = await race(address, ways, inner, note)
          return connected.way.kind === 'tcp' ? connected : openSession(connected, address, names, part, inner, note)
        })
        return Object.assign(new SocketStream(socket, way.kind, address, way.port), { foundBy } as const)
      } catch (thrown) {
        signal?.throwIfAborted()
        if (thrown instanceof NbtrunError && thrown.code === 'CALLED_NAME_REFUSED') throw thrown
        if (whys.size === 0 && !limit.aborted) throw thrown // no failure to connect: a defect
        const place = addresses.length === 1 ? '' : `${address} port `
        for (const { port } of ways) if (whys.has(port)) failures.push(`${place}${port}: ${whys.get(port)}`)
      }
    }
    const ports = ways.map(way => way.port).join(' or ')
    throw new NbtrunError('CONNECT_FAILED', `cannot connect to ${host} (${failures.join(', ')})`, {
      hint: `check that it is on, that it shares files, and that no firewall closes port ${ports}`,
    })
  })
}

function waysOf({ mode, port, ports = { tcp: 445, nbt: 139 } }: TransportOptions): readonly [Way, ...Way[]] {
  if (mode !== 'auto') return [{ kind: mode, port: port ?? ports[mode] }]
  if (port !== undefined) return [{ kind: port === 139 ? 'nbt' : 'tcp', port }]
  return [
    { kind: 'tcp', port: ports.tcp },
    { kind: 'nbt', port: ports.nbt },
  ]
}

function calledNames({ host, calledName, scope = '' }: TransportOptions): readonly NetbiosName[] {
  if (calledName !== undefined) return [parseName(calledName, SUFFIX.SERVER, scope)]
  const any = { ...SMBSERVER, scope: scope.toUpperCase() }
  const label = host.split('.', 1)[0] ?? ''
  return isIP(host) === 0 && /^[\w-]{1,15}$/.test(label) ? [parseName(label, SUFFIX.SERVER, scope), any] : [any]
}

function ownName(): string {
  const label = hostname().split('.', 1)[0] ?? ''
  return label.replace(/[^\w-]/g, '').slice(0, 15) || 'NBTRUN'
}

async function lookUp({ host, timeoutMs, signal }: TransportOptions, limit: AbortSignal): Promise<readonly string[]> {
  let why = 'it has no address'
  let cause: unknown
  try {
    const found = await unlessAborted(limit, lookup(host, { all: true }))
    if (found.length > 0) return [...new Set(found.map(({ address }) => address))]
  } catch (thrown) {
    signal?.throwIfAborted()
    cause = thrown
    if (limit.aborted) why = `no answer from DNS within ${spell(timeoutMs)}`
    else why = errnoOf(thrown) === 'ENOTFOUND' ? 'no such name' : `DNS says ${errnoOf(thrown) ?? String(thrown)}`
  }
  throw new NbtrunError('HOST_NOT_FOUND', `server ${host} not found: ${why}`, { cause, hint: 'check the spelling, or name the server by its IP address' })
}

/** TCP to the first way that answers; the second one starts when the first failed or had its head start. The loser is destroyed unused. */
async function race(address: string, [first, second]: readonly [Way, ...Way[]], signal: AbortSignal, note: Note): Promise<Connected> {
  const stop = new AbortController()
  const follow = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', follow, { once: true })
  const attempt = async (way: Way): Promise<Connected> => {
    const began = now()
    try {
      return { way, socket: await dial(address, way.port, stop.signal) }
    } catch (thrown) {
      note(way.port, reason(thrown, now() - began))
      throw thrown
    }
  }
  try {
    const direct = attempt(first)
    if (second === undefined) return await direct
    const early = await Promise.race([direct.catch(() => undefined), pause(HEAD_START_MS, stop.signal)])
    if (early !== undefined) return early
    signal.throwIfAborted()
    return await Promise.any([direct, attempt(second)])
  } finally {
    signal.removeEventListener('abort', follow)
    stop.abort(new NbtrunError('CANCELLED', 'the other port answered first')) // reaches the loser before its connect event can
  }
}

/** The session request on 139, under each called name until one is taken, each on a connection of its own. */
async function openSession(
  { socket: first, way }: Connected,
  address: string,
  names: { readonly called: readonly NetbiosName[]; readonly calling: NetbiosName },
  timeoutMs: number,
  signal: AbortSignal,
  note: Note,
): Promise<Connected> {
  const refusals: NbtrunError[] = []
  let socket = first
  for (const [i, called] of names.called.entries()) {
    const began = now()
    try {
      if (i > 0) socket = await dial(address, way.port, signal)
      await callSession(socket, { called, calling: names.calling }, timeoutMs, signal)
      return { socket, way }
    } catch (thrown) {
      socket.destroy()
      if (!(thrown instanceof NbtrunError && thrown.code === 'CALLED_NAME_REFUSED')) {
        note(way.port, reason(thrown, now() - began))
        throw thrown
      }
      refusals.push(thrown)
      if (!NAME_UNKNOWN.has(thrown.facts.reason)) break
    }
  }
  const last = refusals.at(-1)
  const message = refusals.map(refusal => refusal.message).join(', ')
  throw new NbtrunError('CALLED_NAME_REFUSED', `${address}: ${message}`, {
    cause: last,
    facts: last?.facts ?? {},
    hint: 'give the name the server answers to with --called-name',
  })
}

/** Refusals after which another called name may be taken. RFC 1002 section 4.3.4. */
const NAME_UNKNOWN: ReadonlySet<unknown> = new Set([0x80, 0x82])

function reason(thrown: unknown, ms: number): string {
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
