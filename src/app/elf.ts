import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'

// elf(5): where the header says for which machine
const CLASS = 4
const DATA = 5
const MACHINE = 18
/** What each machine runs besides its own: EM_X86_64 runs EM_386, EM_AARCH64 runs EM_ARM. */
const ALSO: Readonly<Record<number, number>> = { 62: 3, 183: 40 }

/** Whether the kernel can execute this ELF file: it is for this machine, or somebody registered an interpreter for its kind (binfmt_misc). */
export function elfFits(head: Buffer): boolean {
  if (head.length < MACHINE + 2) return false
  const own = ownHead()
  const machine = (header: Buffer): number => (header[DATA] === 2 ? header.readUInt16BE(MACHINE) : header.readUInt16LE(MACHINE))
  const same = head[CLASS] === own[CLASS] && head[DATA] === own[DATA] && machine(head) === machine(own)
  return same || ALSO[machine(own)] === machine(head) || isRegistered(head)
}

function ownHead(): Buffer {
  const fd = openSync('/proc/self/exe', 'r')
  try {
    const head = Buffer.alloc(64)
    readSync(fd, head, 0, head.length, 0)
    return head
  } finally {
    closeSync(fd)
  }
}

function isRegistered(head: Buffer, folder = '/proc/sys/fs/binfmt_misc'): boolean {
  try {
    return readdirSync(folder)
      .filter(name => name !== 'register' && name !== 'status')
      .some(name => matches(readFileSync(`${folder}/${name}`, 'latin1'), head))
  } catch {
    return false
  }
}

/** Does an entry of binfmt_misc take a file that begins so? An entry is lines of `offset N`, `magic HEX`, `mask HEX`. */
export function matches(entry: string, head: Buffer): boolean {
  const field = (name: string): string => new RegExp(`^${name} (\\w+)$`, 'm').exec(entry)?.[1] ?? ''
  const magic = Buffer.from(field('magic'), 'hex')
  const mask = Buffer.from(field('mask'), 'hex')
  const offset = Number(field('offset'))
  if (!entry.startsWith('enabled') || magic.length === 0) return false
  return magic.every((byte, at) => byte === ((head[offset + at] ?? 0) & (mask[at] ?? 0xff)))
}
