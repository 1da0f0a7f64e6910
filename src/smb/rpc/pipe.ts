import { NbtrunError } from '../../base/errors.ts'

/** A named pipe, as DCE/RPC needs it. What it gives may be the beginning of a message only: the rest is read. */
export interface Pipe {
  /** Writes a message and takes what comes first of the answer, at most `room` bytes. */
  transact(message: Buffer, room: number): Promise<Buffer>
  write(message: Buffer): Promise<void>
  /** What comes next, at most `room` bytes; nothing only where the pipe has ended. */
  read(room: number): Promise<Buffer>
  /** Resolves however it went. */
  close(): Promise<unknown>
}

/** Judges what a pipe gave. */
export function atMost(room: number, data: Buffer, label: string): Buffer {
  if (data.length <= room) return data
  throw new NbtrunError('WIRE', `${label}: ${data.length} bytes came where ${room} were asked for`)
}
