import { writeSync } from 'node:fs'
import { constants } from 'node:os'
import { asError, errnoOf, NbtrunError } from '../base/errors.ts'

/** One line on stderr. Written at once, without opening the stream: nothing waits in a buffer when the process dies of a signal. */
export function print(line: string): void {
  write(2, `nbtrun: ${line}\n`)
}

/** Text on stdout: help, versions, scripts. */
export function output(text: string): void {
  write(1, text.endsWith('\n') ? text : `${text}\n`)
}

let sink: ((text: string) => void) | undefined

/** Both go there from now on: where a program has no console, nobody reads the descriptors. */
export function divert(to: (text: string) => void): void {
  sink = to
}

function write(fd: number, text: string): void {
  if (sink !== undefined) return sink(text)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at)
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EAGAIN') return // nobody reads it any more: no reason to fail
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) // the reader of a pipe that does not block is behind
    }
  }
}

/** What, which value; what to do [CODE]. */
export function errorLine(error: NbtrunError): string {
  return `${error.line.replace(/\s*\n\s*/g, ' ')} [${error.code}]`
}

/** A failure as one line, its stable code last; with `-v` its causes, with `-vv` the stacks. Returns nbtrun's exit code. */
export function report(thrown: unknown, verbose: number): number {
  const error = asError(thrown)
  print(errorLine(error))
  if (verbose > 0)
    for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) print(`  because: ${oneLine(cause)}`)
  if (verbose > 1) for (const line of (error.stack ?? '').split('\n').slice(1)) print(line)
  return exitCode(error)
}

/** 128 + n where a signal cancelled the run before the program started; what `--busy-exit-code` says where there was no seat; else the code's own. */
function exitCode(error: NbtrunError): number {
  const { signal, exit } = error.facts
  if (typeof exit === 'number') return exit
  const number = typeof signal === 'string' && error.code === 'CANCELLED' ? Object.entries(constants.signals).find(([name]) => name === signal)?.[1] : undefined
  return number === undefined ? error.exit : 128 + number
}

function oneLine(cause: unknown): string {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  return text.replace(/\s*\n\s*/g, ' ')
}
