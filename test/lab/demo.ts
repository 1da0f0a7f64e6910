import { copyFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa, type Options, type ResultPromise } from 'execa'
import { REPOSITORY, type RunOptions } from './client.ts'
import { missing } from './missing.ts'
import { ensurePackages, tool } from './packages.ts'
import { startPlainServer } from './plain.ts'
import type { Server } from './server.ts'
import { startLab } from './start.ts'
import { makeExe, setUpWine } from './windows.ts'

const PROGRAM = join(import.meta.dirname, 'fixtures', 'app')

/** Where the demo runs: one server, one place to start programs. */
interface Stage {
  readonly server: Server
  readonly authFile: string
  /** The words before the program. */
  readonly command: readonly string[]
  readonly start: (argv: readonly string[], options: Pick<RunOptions, 'env' | 'stdin' | 'stdout' | 'stderr'>) => ResultPromise<Options>
  /** Where Wine keeps its files, where the share can be seen by a Windows program. */
  readonly winePrefix: string | undefined
  readonly end: () => void
}

type Say = (line: string) => void

/** Another program in nbtrun's place, for the demo's own test: the words which run a local program while the share is held. */
export type StandIn = (stage: { readonly authFile: string; readonly program: string; readonly port: number }) => readonly string[]

/** Runs the demo; true when the server counted 0 sessions before, 1 during and 0 after every run. */
export async function demo(say: Say, { standIn, plain }: { standIn?: StandIn; plain?: boolean } = {}): Promise<boolean> {
  ensurePackages(['lab'])
  if (tool('smbd') === undefined) {
    say('The demo needs a Samba to talk to: apt install samba smbclient')
    return false
  }
  const why = plain === true ? 'no namespaces asked for' : missing('lab', 'fuse')
  const began = performance.now()
  const stage = why === false ? await labStage(standIn) : await plainStage(say, why, standIn)
  try {
    say(`A private Samba is up after ${Math.round(performance.now() - began)} ms; nothing else on this machine is touched.\n`)
    let good = await act(stage, say, 'app')
    if (stage.winePrefix !== undefined && standIn === undefined) good = (await windowsAct(stage, stage.winePrefix, say)) && good
    say(good ? '\nThe seat was taken once and is back.' : '\nThe counts are not 0, 1, 0.')
    return good
  } finally {
    stage.end()
  }
}

async function labStage(standIn: StandIn | undefined): Promise<Stage> {
  const lab = await startLab({ servers: { srv: {} }, clients: ['client1'], reachable: false })
  const server = lab.server()
  const program = join(server.diskPath('app'), 'app')
  copyFileSync(PROGRAM, program)
  const authFile = lab.authFile()
  return {
    server,
    authFile,
    command: standIn?.({ authFile, program, port: 445 }) ?? ['nbtrun', '--share', '//srv/app', '--'],
    start: (argv, options) => lab.spawn('client1', argv, options),
    winePrefix: missing('wine') === false ? join(lab.host('client1').folder, 'home', 'root', '.wine') : undefined,
    end: () => lab.dispose(),
  }
}

/** Without namespaces or FUSE: a Samba on a high port, and the session held while a local program runs. */
async function plainStage(say: Say, why: string, standIn: StandIn | undefined): Promise<Stage> {
  say(`Without a network of its own (${why}): Samba is on a high port of the loopback, and nbtrun maps nothing (--mapping none).`)
  const { server, port, authFile, dispose } = await startPlainServer()
  const bin = join(REPOSITORY, 'bin', 'nbtrun.js')
  const nbtrun = [process.execPath, bin, '--port', String(port), '--mapping', 'none', '--program-from', 'path', '--share', '//127.0.0.1/app', '--']
  const env = { ...process.env, XDG_STATE_HOME: dirname(authFile), PATH: `${join(PROGRAM, '..')}:${process.env['PATH'] ?? ''}` }
  return {
    server,
    authFile,
    command: standIn?.({ authFile, program: PROGRAM, port }) ?? nbtrun,
    start: ([file = '', ...args], options) => execa(file, args, { reject: false, ...options, env: { ...env, ...options.env } } as Options),
    winePrefix: undefined,
    end: dispose,
  }
}

/** One run: count, start, count while the program waits, let it end, count. */
async function act(stage: Stage, say: Say, ...program: readonly string[]): Promise<boolean> {
  const { server, start, command, authFile } = stage
  const before = await count(server, say, 'before')
  const began = performance.now()
  const words = [...command, ...program]
  say(`$ ${words.join(' ')}`)
  const run = start(words, { env: { NBTRUN_OPT_AUTH_FILE: authFile, NBTRUN_OPT_RECEIPT: '-' }, stdin: 'pipe', stderr: 'inherit' })
  let during: number | undefined
  for await (const line of run.iterable()) {
    say(`    ${String(line)}`)
    if (line !== 'app: running') continue
    say(`  (${Math.round(performance.now() - began)} ms after the start)`)
    during = await count(server, say, 'during')
    run.stdin?.end('\n')
  }
  const { exitCode } = await run
  const after = await count(server, say, 'after')
  say(`  exit code ${exitCode ?? 'none'}, ${Math.round(performance.now() - began)} ms in all`)
  return exitCode === 0 && before === 0 && during === 1 && after === 0
}

/** A Windows program from the share, in a Wine of the demo's own. */
async function windowsAct(stage: Stage, prefix: string, say: Say): Promise<boolean> {
  say('\nThe same with a Windows program; first Wine sets itself up, which takes a while.')
  const env = await setUpWine(prefix)
  const kind = await makeExe(join(stage.server.diskPath('app'), 'hello.exe'))
  const before = await count(stage.server, say, 'before')
  const words = [...stage.command, 'hello.exe', ...(kind === 'hello' ? ['/month:10'] : [])]
  say(`$ ${words.join(' ')}`)
  const began = performance.now()
  const run = stage.start(words, { env: { ...env, NBTRUN_OPT_AUTH_FILE: stage.authFile, NBTRUN_OPT_RECEIPT: '-' }, stdin: 'ignore', stderr: 'inherit' })
  const during = stage.server.untilSessions(1, 30_000).then(
    () => 1,
    () => 0,
  )
  for await (const line of run.iterable()) say(`    ${String(line)}`)
  const { exitCode } = await run
  say(`Sessions the server counted meanwhile: ${await during}`)
  const after = await count(stage.server, say, 'after')
  say(`  exit code ${exitCode ?? 'none'}, ${Math.round(performance.now() - began)} ms in all`)
  return exitCode === 0 && before === 0 && (await during) === 1 && after === 0
}

async function count(server: Server, say: Say, when: string): Promise<number> {
  const sessions = await server.sessions()
  const who = sessions.map(({ user, dialect, signing }) => ` (${user}, ${dialect}, signed with ${signing})`).join('')
  say(`Sessions the server counts ${when}: ${sessions.length}${who}`)
  return sessions.length
}
