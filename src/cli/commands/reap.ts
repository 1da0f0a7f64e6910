import { randomBytes } from 'node:crypto'
import type { Argv } from 'yargs'
import { NbtrunError } from '../../base/errors.ts'
import { sweepLines } from '../../seat/sweep.ts'
import { LeftNames } from '../../run/left-names.ts'
import { Journal } from '../../run/journal/journal.ts'
import { known, type Known } from '../../run/journal/overview.ts'
import { isRunId, Place } from '../../run/journal/place.ts'
import { fallenHere, reapPlace, type Reaped, withNames } from '../../run/reap.ts'
import { reapedLine } from '../lines.ts'
import { output } from '../report.ts'
import { onServer, type Given } from '../server.ts'
import { counted } from '../table.ts'
import { withReach } from '../yargs.ts'

export function options(y: Argv): Argv {
  return withReach(
    y
      .usage('nbtrun reap [//SERVER] [--json] [--forget RUN] [options]')
      .positional('target', { type: 'string', describe: '//SERVER: log in there, which ends the sessions that dead runs of this user left' })
      .option('json', { type: 'boolean', describe: 'for programs' })
      .option('forget', { type: 'string', nargs: 1, requiresArg: true, describe: 'take a run that is not live out of the journal, and touch nothing else' }),
  )
}

/** What is told in the end. */
interface Account {
  readonly reaped: readonly Reaped[]
  /** Sessions that a server ended. */
  readonly ended: readonly Session[]
  /** Sessions that a server may still hold. */
  readonly left: readonly Session[]
  readonly untouched: readonly Pick<Known, 'run' | 'why'>[]
  /** How many waiting runs that are dead had a place in a line for a share. */
  readonly places: number
  /** Sessions of SMB1 that a server may still hold: no login ends them. */
  readonly smb1: readonly (Known['smb1'][number] & { readonly run: string })[]
}

type Session = Known['sessions'][number] & { readonly run: string }

export async function run(given: Given): Promise<void> {
  const { json, forget: forgotten, target } = given
  if (forgotten !== undefined) return forget(forgotten)
  const before = sessions()
  if (target !== undefined) await onServer(given, ({ ask }) => ask(async () => {})) // its login ends them
  const after = sessions()
  const ended = before.filter(({ run, id }) => !after.some(other => other.run === run && other.id === id))
  const place = Place.find(process.env)
  const reaped = place === undefined ? [] : await reapAll(place)
  const left = sessions()
  const untouched = known(process.env).flatMap(({ run, state, why }) => (state === 'unknown' ? [{ run, why }] : []))
  const account: Account = {
    reaped: reaped.filter(one => one.gone.length + one.left.length > 0),
    ended,
    left,
    untouched,
    places: await sweepLines(process.env['XDG_RUNTIME_DIR']),
    smb1: known(process.env).flatMap(({ run, state, smb1 }) => (state === 'dead' ? smb1.map(session => ({ run, ...session })) : [])),
  }
  output(json === true ? JSON.stringify(account) : lines(account).join('\n'))
}

/** Names, then what is on this machine, and the sessions that fell with their connections. Whoever claims has an entry while it does so. */
async function reapAll(place: Place): Promise<readonly Reaped[]> {
  const { env } = process
  const journal = new Journal({ run: randomBytes(4).toString('hex'), shares: [], program: 'nbtrun', env, warn: () => {} })
  try {
    const filed = place.list()
    const [names, fallen] = await Promise.all([new LeftNames(place, journal.run, withNames(filed)).reap(), fallenHere(filed)])
    const here = await reapPlace(place, place.list(), { by: journal.run, env, fallen })
    return [...names.map(({ dead, gone, left }) => ({ dead, gone, left })), ...here]
  } finally {
    journal.end()
  }
}

function sessions(): readonly Session[] {
  return known(process.env).flatMap(({ run, state, sessions: all }) => (state === 'dead' ? all.map(session => ({ run, ...session })) : []))
}

function lines({ reaped, ended, left, untouched, places, smb1 }: Account): readonly string[] {
  const all = [
    ...reaped.map(reapedLine),
    ...ended.map(({ run, server, user }) => `run ${run} is dead; ${server} has ended its session of ${user}`),
    ...left.map(
      ({ run, server, user }) =>
        `run ${run} is dead; ${server} may still hold its session of ${user}: nbtrun reap //${server} --user ${user} ends it, and so does the next run of ${user} there`,
    ),
    ...smb1.map(
      ({ run, server, user }) =>
        `run ${run} is dead; ${server} may hold its SMB1 session of ${user} until it notices: a run with --reset-client ends it, and all others of this machine`,
    ),
    ...(places === 0 ? [] : [`${counted(places, 'place', 'places')} in line for a share, left by runs that are dead: taken away`]),
    ...untouched.map(({ run, why }) => `run ${run} is not touched: ${why}`),
  ]
  return all.length === 0 ? ['there is nothing to give back'] : all
}

/** On its user's word: the entry of a run that nothing is proven of, or that cannot be read. */
function forget(name: unknown): void {
  if (typeof name !== 'string' || !isRunId(name)) throw new NbtrunError('USAGE', '--forget takes one run', { hint: 'nbtrun runs lists them' })
  const place = Place.find(process.env)
  const found = place?.list().filter(filed => filed.name.split('~', 1)[0] === name) ?? []
  if (found.length === 0) throw new NbtrunError('USAGE', `the journal has no run ${name}`, { hint: 'nbtrun runs lists them' })
  if (found.some(({ verdict }) => verdict.state === 'live')) throw new NbtrunError('USAGE', `run ${name} is live`)
  for (const filed of found) place?.remove(filed.name)
  output(`${counted(found.length, 'entry', 'entries')} forgotten`)
}
