// Asks for a password on its terminal and tells what came of it; told apart from the terminal's echo by the braces.
import { readdirSync } from 'node:fs'
import { isatty } from 'node:tty'
import { NbtrunError } from '../../../src/base/errors.ts'
import { askPassword, openTerminal } from '../../../src/profile/prompt.ts'

/** Descriptors on terminals: others come and go as the loader likes. */
const open = (): number => readdirSync('/proc/self/fd').filter(fd => isatty(Number(fd))).length
const before = open()
const controller = new AbortController()
if (process.argv[2] === 'abort') process.once('SIGUSR1', () => controller.abort(new NbtrunError('CANCELLED', 'aborted')))
const terminal = await openTerminal()
if (terminal === undefined) throw new Error('no terminal')
let result: object
try {
  result = { password: (await askPassword(`pid ${process.pid}, password: `, terminal, controller.signal)).toString() }
} catch (thrown) {
  if (!(thrown instanceof NbtrunError)) throw thrown
  result = { code: thrown.code, signal: thrown.facts['signal'] ?? null }
}
await new Promise(setImmediate)
const left = open() - before
const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGTSTP'].reduce((sum, name) => sum + process.listenerCount(name), 0)
console.log(`{${JSON.stringify({ ...result, left, listeners })}}`)
