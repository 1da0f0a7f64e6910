import type { Argv } from 'yargs'
import { asError } from '../../base/errors.ts'
import { mayBeOurs, sameUser } from '../../run/ours.ts'
import type { HeldSession } from '../../smb/rpc/srvsvc/accounts.ts'
import { isUnknownLevel } from '../../smb/rpc/srvsvc/errors.ts'
import { output, print } from '../report.ts'
import { onServer, type Asked, type Given } from '../server.ts'
import { counted, lasting, table } from '../table.ts'
import { withReach } from '../yargs.ts'

export function options(y: Argv): Argv {
  return withReach(
    y
      .usage('nbtrun ipc //SERVER [--admin-auth-file FILE] [--json] [options]')
      .positional('target', { type: 'string', describe: '//SERVER' })
      .option('admin-auth-file', { type: 'string', nargs: 1, requiresArg: true, describe: 'who may ask for the sessions, if the user may not' })
      .option('json', { type: 'boolean', describe: 'for programs' }),
  )
}

/** What Q153070 does by hand: an explicit connection to IPC$ and its end, which on old servers frees what was left of earlier ones. */
export function run(given: Given): Promise<void> {
  return onServer(given, async asked => {
    const who = await asked.ask(async (_, session) => session.who)
    const left = await whatIsLeft(asked, who, given['admin-auth-file'])
    const { host } = asked
    if (given['json'] === true) return output(JSON.stringify({ server: host, user: who, disconnected: true, left: left.rows, why: left.why }))
    output(`connected to IPC$ on ${host} as ${who}, and disconnected`)
    if (left.rows === null) print(`what ${host} still holds is not known: ${left.why}`)
    else if (left.rows.length === 0) output(`${host} holds nothing for ${who} any more`)
    else output(`${host} still holds ${counted(left.rows.length, 'session')} for ${who}:\n${rowsTable(left.rows)}`)
  })
}

interface Left {
  /** Null where nobody may know. */
  readonly rows: readonly HeldSession[] | null
  readonly why: string | null
}

/** Asked in a session of its own, which is not counted. */
async function whatIsLeft({ ask }: Asked, who: string, authFile: unknown): Promise<Left> {
  try {
    const rows = await ask(
      async (service, session) => {
        const { sessions } = await service.sessions()
        const asking = newest(mayBeOurs(sessions, session.who))
        return sessions.filter(row => row !== asking && sameUser(row.user, who))
      },
      typeof authFile === 'string' ? authFile : undefined,
    )
    return { rows, why: null }
  } catch (thrown) {
    const error = asError(thrown)
    if (error.code === 'ACCESS_DENIED') return { rows: null, why: `${error.message}; add --admin-auth-file` }
    if (isUnknownLevel(error)) return { rows: null, why: error.message }
    throw error
  }
}

/** The session that asks is the youngest of those that may be it. */
function newest(rows: readonly HeldSession[]): HeldSession | undefined {
  return [...rows].sort((a, b) => (a.seconds ?? 0) - (b.seconds ?? 0))[0]
}

function rowsTable(rows: readonly HeldSession[]): string {
  return table(
    ['CLIENT', 'FILES', 'CONNECTED', 'IDLE'],
    rows.map(({ client, opens, seconds, idle }) => [client, opens ?? '?', lasting(seconds), lasting(idle)]),
  )
}
