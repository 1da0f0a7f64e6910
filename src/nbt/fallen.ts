import { readFileSync } from 'node:fs'
import { connect, isIPv4 } from 'node:net'
import { endianness, networkInterfaces } from 'node:os'
import { errnoOf } from '../base/errors.ts'
import { now, pause } from '../base/time.ts'

/** Both ends of a TCP connection: no other one has them as long as either end has this one. */
export interface Ends {
  /** IP addresses. */
  readonly local: string
  readonly localPort: number
  readonly address: string
  readonly port: number
}

/** A server that has not said by then what became of it, ms: a call is made three times in it. */
const ASK_MS = 3500
const LOOK_MS = 50

/**
 * Whether a connection whose process is dead has come to the knowledge of its other end, for certain; false where nobody says so in time. The kernel goes on
 * with the goodbye for a while, and keeps what it knows in its table. When it has given up, or has forgotten, the server is called once more from the same port:
 * one that has the old connection answers the call with a challenge, and this machine's kernel that with a reset, which ends it. RFC 5961 section 4.2. A server
 * takes the call, or refuses it, only where it has the old connection no more.
 */
export async function hasFallen(ends: Ends, ms = ASK_MS): Promise<boolean> {
  if (!isOurs(ends.local)) return false
  for (const dueAt = now() + ms; ; await pause(LOOK_MS)) {
    const state = stateOf(ends)
    if (state === undefined ? await call(ends, Math.max(LOOK_MS, dueAt - now())) : HEARD.has(state)) return true
    if (now() > dueAt) return false
  }
}

function isOurs(address: string): boolean {
  return Object.values(networkInterfaces()).some(all => all?.some(own => own.address === address))
}

/** FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING: our FIN was acknowledged, or the other end has sent its own. Numbers of the kernel, proc_pid_net(5). */
const HEARD: ReadonlySet<string> = new Set(['05', '06', '09', '0B'])

/** Undefined where the kernel has no such connection, or does not tell. */
function stateOf(ends: Ends): string | undefined {
  const row = new RegExp(`^ *\\d+: ${inTable(ends.local, ends.localPort)} ${inTable(ends.address, ends.port)} ([0-9A-F]{2}) `, 'm')
  try {
    return row.exec(readFileSync(isIPv4(ends.local) ? '/proc/self/net/tcp' : '/proc/self/net/tcp6', 'latin1'))?.[1]
  } catch {
    return undefined
  }
}

/** An address as that table has it: words of 32 bits, in hexadecimal, in the byte order of the machine. */
function inTable(address: string, port: number): string {
  const bytes = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : bytesOf6(address)
  const words = endianness() === 'LE' ? bytes.swap32() : bytes
  return `${words.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}

/** RFC 4291 section 2.2. */
function bytesOf6(address: string): Buffer {
  const [head = '', tail] = address.split('%', 1)[0]!.split('::')
  const [before, after] = [head, tail ?? ''].map(part => part.split(':').filter(word => word !== ''))
  const zeros = Array.from({ length: Math.max(0, 8 - before!.length - after!.length) }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [at, word] of [...before!, ...zeros, ...after!].slice(0, 8).entries()) bytes.writeUInt16BE(Number.parseInt(word, 16) & 0xffff, 2 * at)
  return bytes
}

/** Whether the server takes or refuses a call from there: what hinders us from calling proves nothing. */
function call({ local, localPort, address, port }: Ends, ms: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: address, port, localAddress: local, localPort })
    const over = new AbortController()
    const settle = (fell: boolean): void => {
      over.abort()
      socket.destroy()
      resolve(fell)
    }
    socket.on('connect', () => settle(true)).on('error', error => settle(errnoOf(error) === 'ECONNREFUSED'))
    void pause(ms, over.signal).then(() => settle(false))
  })
}
