// A program that has nbtrun's library in it, on a host of the lab. Says what it saw as one line of JSON, and ends when nothing keeps it.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { pause } from '../../src/base/time.ts'
import { NbtrunError, run, RunError, type RunOptions } from '../../src/index.ts'

const [scenario = '', passwordFile = '', folder = ''] = process.argv.slice(2)
const login = { user: 'LAB/alice', passwordFile } as const
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
const listeners = (): number => SIGNALS.reduce((sum, name) => sum + process.listenerCount(name), 0)
const descriptors = (): number => readdirSync('/proc/self/fd').length

/** The code, the message and the cause of what a run rejects with, and what its receipt says of the end. */
async function failure(options: RunOptions): Promise<unknown> {
  try {
    await run(options)
    return 'did not fail'
  } catch (error) {
    if (!(error instanceof NbtrunError)) throw error
    const { code, message, cause } = error
    return { code, message, cause: cause instanceof Error ? cause.message : null, end: error instanceof RunError ? error.receipt.end : null }
  }
}

/** Two runs at once, one of which fails of its program: the same process goes on as if nothing had been. */
async function two(): Promise<unknown> {
  await run({ ...login, share: '//srv/app', program: ['true'], stdio: 'ignore' }) // what is loaded once
  const before = [listeners(), descriptors()] as const
  const during: number[] = []
  const mine = openSync(`${folder}/mine`, 'w')
  const out = openSync(`${folder}/out`, 'w')
  const password = readFileSync(passwordFile)
  const [first, second] = await Promise.all([
    run({
      share: '//srv/app',
      user: 'LAB/alice',
      password: password.subarray(0, password.indexOf('\n')),
      program: ['/bin/sh', '-c', 'echo "$WORD $NBTRUN_SHARE"; cat "$NBTRUN_MOUNT/in"; ls -l /proc/self/fd | grep -c mine; exit 7'],
      env: { WORD: 'a word' },
      stdio: ['ignore', out, 'inherit'],
      on: event => event.type === 'launched' && during.push(listeners()),
    }),
    run({ ...login, share: ['//srv2/files'], program: ['/bin/sh', '-c', 'kill -KILL $$'], readOnly: true }),
  ])
  closeSync(out)
  closeSync(mine)
  for (let looks = 0; looks < 200 && descriptors() > before[1]; looks++) await pause(50) // sockets close a few turns after their objects
  const results = [first, second].map(({ exit, signal, receipt: { end, shares } }) => ({ exit, signal, end, share: shares[0]?.share }))
  return { before, during, after: [listeners(), descriptors()], results, out: readFileSync(`${folder}/out`, 'utf8') }
}

/** Aborts: before the beginning, while the program runs, by a listener that throws. */
async function aborts(): Promise<unknown> {
  const sleeping = { ...login, share: '//srv/app', program: ['/bin/sleep', '600'] }
  const stop = new AbortController()
  const early = new AbortController()
  const waited: string[] = []
  return {
    already: await failure({ ...sleeping, signal: AbortSignal.abort(new Error('no need')) }),
    waiting: await failure({
      ...sleeping,
      share: '//no-such-host/app',
      wait: '10m',
      signal: early.signal,
      on: ({ type }) => {
        if (waited.push(type) > 1 && type === 'queued') early.abort(new Error('enough'))
      },
    }),
    running: await failure({ ...sleeping, signal: stop.signal, on: ({ type }) => type === 'launched' && stop.abort(new Error('over')) }),
    thrown: await failure({
      ...sleeping,
      on: ({ type }) => {
        if (type === 'launched') throw new Error('mine')
      },
    }),
  }
}

/** What fails before anything is taken, and what a server refuses. */
async function failures(): Promise<unknown> {
  const app = { ...login, share: '//srv/app', program: 'true' } as const
  return {
    option: await failure({ ...app, ...({ redOnly: true } as object) }),
    profile: await failure({ ...app, ...({ profile: 'x' } as object) }),
    value: await failure({ ...app, timeLimit: 'soon' }),
    both: await failure({ ...app, password: 'x' }),
    none: await failure({ share: '//srv/app', user: 'alice', program: 'true' }),
    wrong: await failure({ share: '//srv/app', user: 'LAB/alice', password: 'wrong', program: 'true' }),
    nowhere: await failure({ ...app, program: 'no-such-program' }),
  }
}

/** The shared mapping: a child that this process has besides is no user of it. */
async function shared(): Promise<unknown> {
  const own = spawn('/bin/sleep', ['600'], { stdio: 'ignore' })
  const stop = new AbortController()
  const ended = await failure({
    ...login,
    share: '//srv/app',
    mapping: 'shared',
    program: ['/bin/sleep', '600'],
    signal: stop.signal,
    on: ({ type }) => type === 'launched' && stop.abort(new Error('over')),
  })
  const alive = own.exitCode === null && own.signalCode === null
  own.kill()
  return { ended, alive, readable: readFileSync('/proc/self/environ').length > 0 } // root's alone were this process not dumpable
}

const SCENARIOS: Readonly<Record<string, () => Promise<unknown>>> = { two, aborts, failures, shared }
console.log(JSON.stringify(await SCENARIOS[scenario]?.()))
