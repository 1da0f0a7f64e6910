/**
 * `nbtrun`: `run` makes a whole run, as the command does; `connect` opens a session and reads and writes files, without a mapping. The clients alone are
 * `nbtrun/smb` and `nbtrun/nbt`. docs/library.md
 */
export { CODES, NbtrunError, type Code } from './base/errors.ts'
export type { Step } from './base/scope.ts'
export { type Choices, run, RunError, type RunOptions, type RunResult } from './run/embed.ts'
export type { RunEvent } from './run/events.ts'
export type { Receipt } from './run/receipt.ts'
export { type CallOptions, Client, connect, type ConnectOptions, Share } from './smb/client.ts'
