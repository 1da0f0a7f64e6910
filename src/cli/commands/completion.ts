import type { Argv } from 'yargs'
import { NbtrunError } from '../../base/errors.ts'
import { completion, SHELLS } from '../../profile/completion.ts'
import { COMMANDS } from '../commands.ts'
import { output } from '../report.ts'

export function options(y: Argv): Argv {
  return y.usage(`nbtrun completion ${SHELLS.join('|')}`).positional('shell', { type: 'string', describe: 'whose completion is printed' })
}

export function run({ shell }: Readonly<Record<string, unknown>>): void {
  const known = SHELLS.find(name => name === shell)
  if (known === undefined) throw new NbtrunError('USAGE', `the shell must be ${SHELLS.join(' or ')}`, { hint: 'eval "$(nbtrun completion bash)"' })
  output(completion(known, COMMANDS))
}
