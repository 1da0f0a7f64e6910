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
  return began === null ? '?' : moment(began)
}

function moment(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ')
}

function holds({ state, shares, sessions, smb1, mounts, drives, connections, folders, names }: Known): string {
  if (state !== 'dead') return [...shares, ...names.map(({ name }) => name)].join(', ')
  const named = names.map(({ name, wins }) => `the name ${name} at ${wins.join(', ')}`)
  const old = smb1.map(({ server, user }) => `an SMB1 session of ${user} on ${server}`)
  return [
    ...named,
    ...old,
    ...sessions.map(({ server, user, until }) => `a session of ${user} that ${server} may have until ${moment(until)}`),
    ...mounts,
    ...drives,
    ...connections,
    ...folders,
  ].join(', ')
}
