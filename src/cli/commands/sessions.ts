import { createInterface } from 'node:readline'
import { isatty } from 'node:tty'
import type { Argv } from 'yargs'
import { asError, NbtrunError } from '../../base/errors.ts'
import { unlessAborted } from '../../nbt/dial.ts'
import { duration } from '../../profile/values.ts'
import { endPair, judgeUnused, pairsOf, rowsOf, samePair, type Judged } from '../../run/closing.ts'
import { mayBeOurs } from '../../run/ours.ts'
import type { HeldConnection, HeldFile, HeldSession, SharedThing } from '../../smb/rpc/srvsvc/accounts.ts'
import type { Session } from '../../smb/resources.ts'
import type { ServerService, SessionList } from '../../smb/rpc/srvsvc/service.ts'
import { output } from '../report.ts'
import { onServer, type Asked, type Given } from '../server.ts'
import { counted, lasting, table } from '../table.ts'
import { withReach } from '../yargs.ts'
import { inUse, plain } from './shares.ts'

export function options(y: Argv): Argv {
  return withReach(
    y
      .usage('nbtrun sessions //SERVER[/SHARE] [--json] [--close ...] [options]')
      .positional('target', { type: 'string', describe: '//SERVER, or //SERVER/SHARE to see whether that is full' })
      .option('json', { type: 'boolean', describe: 'for programs' })
      .option('close', { type: 'boolean', describe: 'end sessions: those of --client and --user (who logs in is then --auth-file), or --unused ones' })
      .option('client', { type: 'string', nargs: 1, requiresArg: true, describe: 'with --close: all sessions from this client' })
      .option('unused', { type: 'boolean', describe: 'with --close: those without an open file that idle for --idle' })
      .option('idle', { type: 'string', nargs: 1, requiresArg: true, describe: 'with --unused: how long at least, 10m' })
      .option('yes', { type: 'boolean', describe: 'with --close: do not ask' }),
  )
}

export async function run(given: Given): Promise<void> {
  const wish = wishOf(given)
  // with --close the user is whose sessions end, not who asks for that
  const words = wish === 'show' || 'idleMs' in wish ? given : { ...given, user: undefined }
  await onServer(words, asked => {
    const json = given['json'] === true
    if (wish === 'show') return show(asked, json)
    return 'idleMs' in wish ? closeUnused(asked, wish.idleMs, json) : closePair(asked, wish, given['yes'] === true, json)
  })
}

interface Pair {
  readonly client: string | null
  readonly user: string | null
}

function wishOf(given: Given): 'show' | Pair | { readonly idleMs: number } {
  const { close, client, user, unused, idle, yes } = given
  for (const [name, value] of Object.entries({ client, user, idle }))
    if (Array.isArray(value)) throw new NbtrunError('USAGE', `--${name} is given ${value.length} times`)
  if (close !== true) {
    const stray = Object.entries({ client, unused, idle, yes }).find(([, value]) => value !== undefined && value !== false)
    if (stray !== undefined) throw new NbtrunError('USAGE', `--${stray[0]} is for --close`)
    return 'show'
  }
  if (unused === true) {
    if (client !== undefined) throw new NbtrunError('USAGE', '--unused and --client exclude each other')
    if (typeof idle !== 'string') throw new NbtrunError('USAGE', '--unused needs --idle', { hint: 'such as --idle 10m' })
    return { idleMs: idleTime(idle) }
  }
  if (idle !== undefined) throw new NbtrunError('USAGE', '--idle is for --unused')
  const text = (value: unknown): string | null => (typeof value === 'string' && value.replace(/^\\+/, '') !== '' ? value : null)
  const pair = { client: text(client), user: text(user) }
  if (pair.client === null && pair.user === null)
    throw new NbtrunError('USAGE', '--close needs --client, --user or both', { hint: 'without them it would end every session; or add --unused --idle 10m' })
  return pair
}

function idleTime(text: string): number {
  try {
    return duration(text)
  } catch (thrown) {
    throw new NbtrunError('USAGE', `--idle ${asError(thrown).message}`)
  }
}

interface Account extends SessionList {
  readonly share: SharedThing | undefined
  /** Null where the server does not tell us. */
  readonly connections: readonly HeldConnection[] | null
  readonly files: readonly HeldFile[] | null
}

async function show({ host, label, share, ask }: Asked, json: boolean): Promise<void> {
  const told = await ask(async (service, session) => {
    const list = await service.sessions().catch((thrown: unknown) => {
      if (share === undefined || asError(thrown).code !== 'ACCESS_DENIED') throw thrown
      return undefined
    })
    // who is no administrator may try
    if (list === undefined) return { full: await isFullFor(session, share ?? '') }
    return { account: await accountOf(service, list, share), ours: mayBeOurs(list.sessions, session.who) }
  })
  if ('full' in told) {
    const { full } = told
    if (json) return output(JSON.stringify({ server: host, level: null, share: { name: share, full }, sessions: null, connections: null, files: null }))
    return output(`${label} is ${full ? 'full' : 'free'}; who holds it, the server tells its administrators alone`)
  }
  const { account, ours } = told
  const { level, sessions, connections, files, share: shared } = account
  if (json) {
    const rows = sessions.map(row => ({ ...row, ours: ours.includes(row) }))
    return output(
      JSON.stringify({
        server: host,
        level,
        ...(shared === undefined ? {} : { share: { ...plain(shared), full: isFull(shared) } }),
        sessions: rows,
        connections,
        files,
      }),
    )
  }
  const parts = [
    table(
      HEAD,
      sessions.map(row => [...cells(row), ours.includes(row) ? 'asks' : '']),
    ),
  ]
  if (shared !== undefined)
    parts.unshift(`${label} is ${isFull(shared) === null ? 'there' : isFull(shared) === true ? 'full' : 'free'}: ${inUse(shared)} in use`)
  const holders = connections?.filter(({ user }) => user !== null) ?? []
  if (holders.length > 0)
    parts.push(
      table(
        ['CLIENT', 'USER', 'FILES', 'CONNECTED'],
        holders.map(c => [c.client ?? '?', c.user ?? '?', c.opens, lasting(c.seconds)]),
      ),
    )
  if (files !== null && files.length > 0)
    parts.push(
      table(
        ['USER', 'LOCKS', 'OPEN FILE'],
        files.map(file => [file.user, file.locks, file.path]),
      ),
    )
  output(parts.join('\n\n'))
}

const HEAD = ['CLIENT', 'USER', 'FILES', 'CONNECTED', 'IDLE', ''] as const

function cells({ client, user, opens, seconds, idle }: HeldSession): (string | number)[] {
  return [client, user === '' ? '(nobody)' : (user ?? '?'), opens ?? '?', lasting(seconds), lasting(idle)]
}

/** Takes a seat for a moment, where there is one. */
async function isFullFor(session: Session, share: string): Promise<boolean> {
  try {
    const tree = await session.connect(share)
    await tree.close('a seat was free')
    return false
  } catch (thrown) {
    if (asError(thrown).code === 'SHARE_FULL') return true
    throw thrown
  }
}

/** Null where the server does not say. */
function isFull({ limit, uses }: SharedThing): boolean | null {
  return limit === null || uses === null ? null : uses >= limit
}

/** What else an administrator may know; whoever may not gets the sessions alone. */
async function accountOf(service: ServerService, list: SessionList, share: string | undefined): Promise<Account> {
  const files = await service.files().catch(unlessDenied)
  if (share === undefined) return { ...list, share: undefined, connections: null, files }
  const shared = (await service.shares()).find(({ name }) => name.toLowerCase() === share.toLowerCase())
  if (shared === undefined) throw new NbtrunError('SHARE_NOT_FOUND', `the server has no share ${share}`, { hint: 'nbtrun shares lists them' })
  return { ...list, share: shared, connections: await service.connections(shared.name).catch(unlessDenied), files: within(files, shared) }
}

function unlessDenied(thrown: unknown): null {
  const error = asError(thrown)
  if (error.code === 'ACCESS_DENIED' || error.code === 'SERVER_REFUSED') return null
  throw error
}

/** The open files below a share's folder, where the server says which that is. */
function within(files: readonly HeldFile[] | null, { path }: SharedThing): readonly HeldFile[] | null {
  if (path === '') return files
  const folder = path.toLowerCase().replace(/\\*$/, '\\')
  return files?.filter(file => `${file.path.toLowerCase()}\\`.startsWith(folder)) ?? null
}

async function closePair({ host, ask, signal }: Asked, { client, user }: Pair, yes: boolean, json: boolean): Promise<void> {
  await ask(async (service, session) => {
    const { sessions } = await service.sessions()
    const rows = rowsOf(sessions, client, user)
    const whose = [user, client === null ? null : `on ${client}`].filter(part => part !== null).join(' ')
    if (rows.length === 0) throw new NbtrunError('NO_SUCH_SESSION', `${host} has no session of ${whose}`, { hint: 'nbtrun sessions shows those it has' })
    if (mayBeOurs(sessions, session.who).some(ours => rows.some(row => samePair(row, ours))))
      throw new NbtrunError('USAGE', `the session that asks is one of those of ${whose}`, { hint: 'log in as another user, or name client and user' })
    if (!json) output(table(HEAD, rows.map(cells)))
    if (!yes) await confirm(`End ${rows.length === 1 ? 'this session' : `these ${rows.length} sessions`} on ${host}?`, signal)
    const left: HeldSession[] = []
    for (const pair of pairsOf(rows)) if (!(await endPair(service, pair, signal))) left.push(...rows.filter(row => samePair(row, pair)))
    const ended = rows.filter(row => !left.includes(row))
    if (json) output(JSON.stringify({ server: host, ended, left }))
    else if (ended.length > 0) output(`ended ${counted(ended.length, 'session')}`)
    if (left.length > 0) throw new NbtrunError('SERVER_REFUSED', `${host} still has ${counted(left.length, 'session')} of ${whose}`)
  })
}

async function closeUnused({ host, ask, signal }: Asked, idleMs: number, json: boolean): Promise<void> {
  const rows = await ask(async (service, session) => {
    const { sessions } = await service.sessions()
    const judged = judgeUnused(sessions, session.who, idleMs)
    const ended = new Map<HeldSession, boolean>()
    for (const pair of pairsOf(judged.filter(({ kept }) => kept === null).map(row => row.session))) {
      // what was unused may be used by now
      const fresh = judgeUnused((await service.sessions()).sessions, session.who, idleMs).filter(row => samePair(row.session, pair))
      if (fresh.length > 0 && fresh.every(({ kept }) => kept === null)) ended.set(pair, await endPair(service, pair, signal))
    }
    return judged.map((row): Judged => {
      if (row.kept !== null) return row
      const gone = [...ended].find(([pair]) => samePair(pair, row.session))?.[1]
      return { ...row, kept: gone === true ? null : gone === false ? 'the server did not end it' : 'it is used again' }
    })
  })
  if (json) return output(JSON.stringify({ server: host, sessions: rows.map(({ session, kept }) => ({ ...session, ended: kept === null, kept })) }))
  output(
    table(
      HEAD,
      rows.map(({ session, kept }) => [...cells(session), kept === null ? 'ended' : `kept: ${kept}`]),
    ),
  )
}

/** Asks on the terminal; anything but a yes is a no. */
async function confirm(question: string, signal: AbortSignal): Promise<void> {
  if (!isatty(0) || !isatty(2)) throw new NbtrunError('USAGE', 'there is no terminal to ask on', { hint: 'add --yes' })
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const no = new NbtrunError('CANCELLED', 'nothing was ended')
  try {
    const asked = new Promise<string>((resolve, reject) => {
      lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT')) // the terminal leaves Ctrl-C to us
      lines.on('close', () => reject(no))
      lines.question(`${question} [y/N] `, resolve)
    })
    if (!/^y(es)?$/i.test((await unlessAborted(signal, asked)).trim())) throw no
  } finally {
    lines.close()
  }
}
