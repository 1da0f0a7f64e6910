import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import { isatty } from 'node:tty'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { PASSWORD_WAYS } from './passwords.ts'

const LARGEST = 64 * 1024
const NEWLINE = 0x0a,
  RETURN = 0x0d

/** A file with secrets, whole. Refused when anybody but its owner can read it. The caller wipes the buffer. */
export async function readSecretFile(path: string): Promise<Buffer> {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch (thrown) {
    throw unreadable(path, thrown)
  }
  const about = fstatSync(fd)
  if (about.isFile() && (about.mode & 0o077) !== 0) {
    closeSync(fd)
    throw new NbtrunError('FILE_ERROR', `${path} can be read by others (mode ${(about.mode & 0o777).toString(8).padStart(4, '0')})`, {
      hint: `chmod 600 ${path}`,
    })
  }
  return readToEnd(fd, about, path)
}

/** An inherited descriptor to its end; closed afterwards, stdin excepted. The caller wipes the buffer. */
export async function readSecretFd(fd: number): Promise<Buffer> {
  const name = `descriptor ${fd}`
  if (isatty(fd)) throw new NbtrunError('NO_PASSWORD', `${name} is a terminal`, { hint: PASSWORD_WAYS })
  return readToEnd(fd, openDescriptor(fd, name), name)
}

function openDescriptor(fd: number, name: string): Stats {
  try {
    return fstatSync(fd)
  } catch (thrown) {
    throw unreadable(name, thrown)
  }
}

/** The first line without its newline, in a buffer of its own; `all` is wiped. */
export function firstLine(all: Buffer): Buffer {
  const newline = all.indexOf(NEWLINE)
  let end = newline < 0 ? all.length : newline
  if (newline > 0 && all[end - 1] === RETURN) end--
  const line = Buffer.from(all.subarray(0, end))
  all.fill(0)
  return line
}

async function readToEnd(fd: number, about: Stats, name: string): Promise<Buffer> {
  // a pipe whose writer is slow must not block the signals that end the run
  if (about.isFIFO() || about.isSocket()) return drain(fd, name)
  const all = Buffer.alloc(LARGEST + 1)
  let size = 0
  try {
    for (let got = -1; got !== 0 && size < all.length; size += got) got = readSync(fd, all, size, all.length - size, null)
  } catch (thrown) {
    throw unreadable(name, thrown)
  } finally {
    if (fd !== 0) closeSync(fd)
  }
  return withinLimit(all, size, name)
}

async function drain(fd: number, name: string): Promise<Buffer> {
  const pipe = new Socket({ fd, readable: true, writable: false })
  const all = Buffer.alloc(LARGEST + 1)
  let size = 0
  try {
    for await (const chunk of pipe as AsyncIterable<Buffer>) {
      size += chunk.copy(all, size)
      chunk.fill(0)
      if (size === all.length) break // destroys the pipe
    }
  } catch (thrown) {
    throw unreadable(name, thrown)
  }
  return withinLimit(all, size, name)
}

function withinLimit(all: Buffer, size: number, name: string): Buffer {
  if (size <= LARGEST) return all.subarray(0, size)
  all.fill(0)
  throw new NbtrunError('FILE_ERROR', `${name} is longer than ${LARGEST} bytes`)
}

function unreadable(name: string, cause: unknown): NbtrunError {
  const hint = errnoOf(cause) === 'ENOENT' && name.includes('/~/') ? { hint: 'the shell left ~ as it was: a blank before it, not =, or $HOME instead' } : {}
  return new NbtrunError('FILE_ERROR', `${name} cannot be read (${errnoOf(cause) ?? 'unknown reason'})`, { cause, ...hint })
}
