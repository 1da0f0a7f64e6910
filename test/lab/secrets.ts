import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { md4 } from '../../src/smb/crypto/md4.ts'

/** A password in the forms in which it may lie around. */
export function formsOf(password: string): ReadonlyMap<string, Buffer> {
  const [utf8, utf16] = [Buffer.from(password), Buffer.from(password, 'utf16le')]
  const hash = md4(utf16)
  return new Map([
    ['UTF-8', utf8],
    ['UTF-16LE', utf16],
    ['base64', Buffer.from(utf8.toString('base64'))],
    ['base64 of UTF-16LE', Buffer.from(utf16.toString('base64'))],
    ['NT hash', hash],
    ['NT hash in hexadecimal', Buffer.from(hash.toString('hex'))],
    ['NT HASH in hexadecimal', Buffer.from(hash.toString('hex').toUpperCase())],
  ])
}

const PIECE = 12

/** Also parts of a password: what was freed, and not wiped, loses its beginning to the allocator. */
export function piecesOf(password: string): ReadonlyMap<string, Buffer> {
  const starts = Array.from({ length: Math.max(0, password.length - PIECE + 1) }, (_, i) => i)
  const pieces = starts.map(i => [i, password.slice(i, i + PIECE)] as const)
  return new Map(
    pieces.flatMap(([i, piece]) => [[`UTF-8 from ${i}`, Buffer.from(piece)] as const, [`UTF-16LE from ${i}`, Buffer.from(piece, 'utf16le')] as const]),
  )
}

/** Which of the forms are in it. */
export function foundIn(bytes: Buffer, forms: ReadonlyMap<string, Buffer>): string[] {
  return [...forms].filter(([, form]) => bytes.includes(form)).map(([name]) => name)
}

/** Everything that a process has in memory and may be read: proc_pid_mem(5). It is stopped meanwhile. As root of the machine. */
export function memoryOf(pid: number): Buffer {
  process.kill(pid, 'SIGSTOP')
  try {
    // a core of it, without the pages of files: gcore would need gdb
    const read = `
import re,sys
mem=open('/proc/%s/mem'%sys.argv[1],'rb',0)
for line in open('/proc/%s/maps'%sys.argv[1]):
    m=re.match(r'([0-9a-f]+)-([0-9a-f]+) r(.)',line)
    if not m or '[v' in line: continue
    a,b=int(m[1],16),int(m[2],16)
    if m[3]!='w' and not line.rstrip().endswith(('00:00 0','[heap]','[stack]')): continue
    while a<b:
        n=min(b-a,1<<20)
        try: mem.seek(a); sys.stdout.buffer.write(mem.read(n))
        except (OSError,ValueError): pass
        a+=n
`
    return execFileSync('/usr/bin/python3', ['-c', read, String(pid)], { maxBuffer: 4 * 2 ** 30 })
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

/** The files below a folder, as one. */
export function filesBelow(folder: string): Buffer {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Buffer.concat(names.map(entry => readFileSync(join(entry.parentPath, entry.name))))
}

/** The keys of the last session that smbd has told its log (`debug encryption = yes`, SMB 3), by smbd's names: `Signing Key`. */
export function keysIn(log: string): ReadonlyMap<string, Buffer> {
  const lines = [...log.matchAll(/^ {2}(\w+ Key) +\[0000\] ((?:[0-9A-F]{2} {1,3}){16})/gm)]
  return new Map(lines.map(([, name = '', hex = '']) => [name, Buffer.from(hex.replaceAll(' ', ''), 'hex')]))
}

/** What is as good as the password: [MS-NLMP] 3.3.2, NTOWFv2. */
export function ntowfv2(password: string, user: string, domain: string): Buffer {
  return createHmac('md5', md4(Buffer.from(password, 'utf16le')))
    .update(Buffer.from(user.toUpperCase() + domain, 'utf16le'))
    .digest()
}

/** Fills or empties a pipe that does not block. */
export function untilRefused(work: () => number): void {
  try {
    while (work() > 0);
  } catch {} // EAGAIN: the pipe is full, or empty
}
