import assert from 'node:assert/strict'
import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { REPOSITORY } from './client.ts'
import { type Lab, missing, useLab, type User } from './index.ts'
import { UIDS } from './users.ts'
import { here, noLab, noMapping, nothingLeft, script } from './nbtrun.ts'

const LIBRARY = (name: string): string => join(REPOSITORY, 'examples', `${name}.js`)

describe('the library', { skip: noLab, timeout: 240_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  /** A file of `owner` with alice's password. */
  const passwordFile = (owner: User | 'root'): string => {
    const file = here(lab, 'password', { user: owner })
    writeFileSync(file, `${lab.password()}\n`, { mode: 0o600 })
    if (owner !== 'root') chownSync(file, UIDS[owner], UIDS[owner])
    return file
  }
  const example = (name: string, ...words: string[]) =>
    lab.spawn('client1', ['node', LIBRARY(name), ...words], { user: 'root', env: { PASSWORD: lab.password() } })
  const ended = async (child: ReturnType<typeof example>) => {
    const { exitCode, stdout, stderr } = await child
    return { code: exitCode, stdout: String(stdout), stderr: String(stderr) }
  }

  test('examples/run.js: the program’s exit code, the share for it alone, everything given back', { skip: noMapping }, async () => {
    script(lab, 'seven', 'echo run "$1"; exit 7')
    const { code, stdout, stderr } = await ended(example('run', '//srv/app', 'LAB/alice', passwordFile('root'), 'seven', 'x'))
    assert.deepEqual([code, stderr], [7, ''])
    assert.match(stdout, /^seven runs, \/\/srv\/app is at \/.+\nrun x\nexit code 7, acknowledged; given back in [\d.]+ ms\n$/)
    await nothingLeft(lab)
  })

  test('examples/run.js ended by TERM: the program gets TERM, everything is given back, the error says so', { skip: noMapping }, async () => {
    script(lab, 'long', 'trap "echo asked; exit 0" TERM; echo begun; sleep 600 & wait')
    const child = example('run', '//srv/app', 'LAB/alice', passwordFile('root'), 'long')
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('begun')) break
    child.kill('SIGTERM')
    const { code, stderr } = await ended(child)
    assert.equal(code, 125)
    assert.match(stderr, /^the run was cancelled \[CANCELLED\] DOMException \[AbortError\]/)
    await nothingLeft(lab)
  })

  test('examples/smb.js: a file written, listed and read; each goodbye answered', async () => {
    const { code, stdout, stderr } = await ended(example('smb', 'srv', 'app', 'alice'))
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^note\.txt 5$/m)
    assert.match(stdout, /^hello\nTREE_DISCONNECT app STATUS_SUCCESS\nLOGOFF srv STATUS_SUCCESS\nFIN srv .+\n$/m)
    assert.equal((await lab.run('client1', ['cat', join(lab.server().diskPath('app'), 'note.txt')], { user: 'root' })).stdout, 'hello')
    await nothingLeft(lab)
  })

  test('examples/nbt.js: a node’s names, and a name held for a while', async () => {
    const { address } = lab.server()
    const { code, stdout, stderr } = await ended(example('nbt', address, 'BOOKS'))
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^SRV<20> unique$/m)
    assert.ok(stdout.includes(`BOOKS<20> is at ${lab.host('client1').address}`), stdout)
    assert.match((await lab.run('client1', ['nmblookup', '--recursion', `--unicast=${address}`, 'BOOKS#20'])).stdout, /name_query failed/)
  })

  /** A scenario of library-child.ts: what it saw. */
  const child = async <T>(scenario: string, user: User): Promise<T> => {
    const words = ['node', '--import', 'tsx', 'test/lab/library-child.ts', scenario, passwordFile(user), here(lab, '', { user })]
    const { code, stdout, stderr } = await lab.run('client1', words, { cwd: REPOSITORY, user })
    assert.deepEqual([code, stderr], [0, ''], stdout)
    await nothingLeft(lab)
    return JSON.parse(stdout) as T
  }

  test('two runs at once in one process, which keeps its signals and its descriptors to itself', { skip: noMapping }, async () => {
    writeFileSync(join(lab.server().diskPath('app'), 'in'), 'from the share\n')
    const seen = await child<{ before: number[]; during: number[]; after: number[]; results: unknown; out: string }>('two', 'alice')
    assert.deepEqual(seen.after, seen.before)
    assert.deepEqual([seen.before[0], seen.during], [0, [0]])
    assert.deepEqual(seen.results, [
      { exit: 7, signal: null, end: 'acknowledged', share: '//srv/app' },
      { exit: 137, signal: 'SIGKILL', end: 'acknowledged', share: '//srv2/files' },
    ])
    assert.equal(seen.out, 'a word //srv/app\nfrom the share\n0\n')
  })

  test('an abort ends a run at every stage, and rejects with its reason as the cause', { skip: noMapping }, async () => {
    const cancelled = (cause: string, end: string | null) => ({ code: 'CANCELLED', message: 'the run was cancelled', cause, end })
    const seen = await child<Record<string, unknown>>('aborts', 'alice')
    assert.deepEqual(seen, {
      already: cancelled('no need', null),
      waiting: cancelled('enough', 'nothing-held'),
      running: cancelled('over', 'acknowledged'),
      thrown: cancelled('mine', 'acknowledged'),
    })
  })

  test('what fails has its code; nobody is asked for a password, nothing is held', { skip: noMapping }, async () => {
    const seen = await child<Record<string, { code: string; message: string; end: string | null }>>('failures', 'alice')
    const codes = Object.fromEntries(Object.entries(seen).map(([name, { code, end }]) => [name, [code, end]]))
    assert.deepEqual(codes, {
      option: ['USAGE', null],
      profile: ['USAGE', null],
      value: ['USAGE', null],
      both: ['USAGE', null],
      none: ['NO_PASSWORD', 'nothing-held'],
      wrong: ['LOGON_FAILED', 'acknowledged'],
      nowhere: ['PROGRAM_NOT_FOUND', 'acknowledged'],
    })
    assert.equal(seen['value']?.message, '--time-limit must be a duration such as 3, 2.5s, 250ms, 10m or 1h, not soon')
  })

  test('a shared mapping takes no child of the process for a user of its own, and leaves its memory as it was', {
    skip: noMapping || missing('fuse3'),
  }, async () => {
    const seen = await child<{ ended: { code: string }; alive: boolean; readable: boolean }>('shared', 'alice')
    assert.deepEqual([seen.ended.code, seen.alive, seen.readable], ['CANCELLED', true, true])
  })
})
