import type { Argv } from 'yargs'
import { known, type Known } from '../../run/journal/overview.ts'
import { output } from '../report.ts'
import type { Given } from '../server.ts'
import { table } from '../table.ts'

export function options(y: Argv): Argv {
  return y.usage('nbtrun runs [--json]').option('json', { type: 'boolean', describe: 'for programs' })
}

export async function run(given: Given): Promise<void> {
  const runs = known(process.env)
  if (given['json'] === true) return output(JSON.stringify({ runs }))
  if (runs.length === 0) return output('no run holds anything')
  output(
    table(
      ['RUN', 'STATE', 'PID', 'SINCE', 'PROGRAM', 'HOLDS', ''],
      runs.map(each => [each.run, each.state, each.pid ?? '?', since(each), each.program ?? '?', holds(each), each.why ?? '']),
    ),
  )
}

function since({ began }: Known): string {
  return began === null ? '?' : began.slice(0, 19).replace('T', ' ')
}

function holds({ state, shares, sessions, mounts, drives, folders, names }: Known): string {
  if (state !== 'dead') return [...shares, ...names.map(({ name }) => name)].join(', ')
  const named = names.map(({ name, wins }) => `the name ${name} at ${wins.join(', ')}`)
  return [...named, ...sessions.map(({ server, user }) => `a session of ${user} on ${server}`), ...mounts, ...drives, ...folders].join(', ')
}
