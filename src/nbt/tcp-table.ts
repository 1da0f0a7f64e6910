import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { endianness } from 'node:os'

/** Both ends of a TCP connection: no other one has them as long as either end has this one. */
export interface Ends {
  /** IP addresses. */
  readonly local: string
  readonly localPort: number
  readonly address: string
  readonly port: number
}

/** What the kernel's table says of a connection. proc_pid_net(5) */
export interface Row {
  /** A number of the kernel, two hexadecimal digits. */
  readonly state: string
  /** How many times what was sent went out again since the other end acknowledged anything. */
  readonly resent: number
}

/** Undefined where the kernel has no such connection, or does not tell. */
export function rowOf(ends: Ends): Row | undefined {
  const row = new RegExp(
    `^ *\\d+: ${inTable(ends.local, ends.localPort)} ${inTable(ends.address, ends.port)} ([0-9A-F]{2}) [0-9A-F:]+ [0-9A-F:]+ ([0-9A-F]+) `,
    'm',
  )
  try {
    const [, state, resent] = row.exec(readFileSync(isIPv4(ends.local) ? '/proc/self/net/tcp' : '/proc/self/net/tcp6', 'latin1')) ?? []
    return state === undefined || resent === undefined ? undefined : { state, resent: Number.parseInt(resent, 16) }
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
