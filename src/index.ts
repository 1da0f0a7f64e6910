/** `nbtrun`: a run as the command makes it, for programs that want one. The clients alone are `nbtrun/smb` and `nbtrun/nbt`. */
export { CODES, NbtrunError, type Code } from './base/errors.ts'
export type { Step } from './base/scope.ts'
export { resolve as settings, type Settings } from './profile/settings.ts'
export type { Raw } from './profile/words.ts'
export type { Outcome, RunEvent, RunIo } from './run/events.ts'
export type { Receipt } from './run/receipt.ts'
export { run } from './run/run.ts'
