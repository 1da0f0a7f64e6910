// A random password, and where it may not be found.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, constants, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type Lab, missing, startLab } from './index.ts'
import { journalOf, said, until } from './journal.ts'
import { here, noMapping, words } from './nbtrun.ts'
import { filesBelow, formsOf, foundIn, memoryOf, piecesOf, untilRefused } from './secrets.ts'
import { UIDS } from './users.ts'
import { killAll, processesLike, untilGone } from './watch.ts'

const SOURCES = ['the prompt', '--password-file', '--password-fd'] as const
/** How the share is mapped meanwhile, and by whom. */
const WAYS = { root: 'root', b2: 'alice', b1: 'alice', c: 'alice', none: 'alice' } as const

describe('the password', { skip: noMapping, timeout: 800_000 }, () => {
  for (const more of [[], ['--no-reconnect']])
    test(`is in no journal, receipt, event, process list or environment, nor in memory after the login${more.join('')}`, async () => {
      await using lab = await startLab()
      const forms = formsOf(lab.password())
      assert.deepEqual(foundIn(Buffer.from(lab.password()), forms), ['UTF-8'], 'the test finds what is there')
      const [receipt, events] = [here(lab, 'receipt.json'), here(lab, 'events.json')]
      const program = ['/bin/sh', '-c', 'echo "ready $$"; read -r line']
      const options = ['--receipt', receipt, '--events', events, '--grace', '1m', ...more]
      const run = lab.spawn('client1', words(lab, program, { options }), { stdin: 'pipe' })
      const [, pid] = /ready (\d+)/.exec(await said(run)) ?? []
      const look = (what: string, bytes: Buffer): void => {
        assert.ok(bytes.length > 0, `${what} is there to be searched`)
        assert.deepEqual(foundIn(bytes, forms), [], what)
      }
      look('the journal', filesBelow(journalOf(lab)))
      look('the events', readFileSync(events))
      const processes = lab.processes('client1')
      assert.ok(processes.includes(run.pid!) && processes.includes(Number(pid)))
      for (const each of processes)
        for (const what of ['cmdline', 'environ']) {
          const bytes = ofProcess(each, what)
          if (bytes.length > 0 || each === run.pid || each === Number(pid)) look(`${what} of ${each}`, bytes) // others come and go
        }
      const memory = memoryOf(run.pid!)
      assert.ok(memory.includes(Buffer.from(lab.authFile())), 'its memory was read')
      look('its memory after the login', memory)
      run.stdin?.end('\n')
      await until('the grace', () => readFileSync(events, 'utf8').includes('"grace"'), 20_000)
      look('its memory in the grace', memoryOf(run.pid!))
      process.kill(run.pid!, 'SIGINT')
      process.kill(run.pid!, 'SIGTERM')
      assert.equal((await run).exitCode, 0)
      look('the receipt', readFileSync(receipt))
      look('the events', readFileSync(events))
    })
})

describe('the password that came by', { skip: noMapping || missing('terminal', 'fuse3'), timeout: 280_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab()
  })
  after(() => lab?.dispose())

  for (const source of SOURCES)
    for (const [way, user] of Object.entries(WAYS) as [keyof typeof WAYS, 'root' | 'alice'][])
      test(`${source} is in no process of the run, way ${way}, nor in nbtrun’s memory after the teardown`, async () => {
        const secret = lab.password()
        const forms = new Map([...formsOf(secret), ...piecesOf(secret)])
        const own = (name: string): string => here(lab, `${source}, ${way}${name}`, { user })
        const [receipt, events, file] = [own('.receipt'), own('.events'), own('.password')]
        writeFileSync(file, `${secret}\n`, { mode: 0o600 })
        if (user !== 'root') chownSync(file, UIDS[user], UIDS[user])
        // a pipe that is full: nbtrun stands in the write of its receipt until somebody reads
        execFileSync('/usr/bin/mkfifo', ['-m', '666', receipt])
        const pipe = openSync(receipt, constants.O_RDWR | constants.O_NONBLOCK)
        try {
          untilRefused(() => writeSync(pipe, Buffer.alloc(4096)))
          const from = { 'the prompt': [], '--password-file': ['--password-file', file], '--password-fd': ['--password-fd', '3'] }[source]
          const mapping = { root: [], b2: [], b1: [], c: ['--mapping', 'shared'], none: ['--mapping', 'none'] }[way]
          const options = ['--share', '//srv/app', '--user', 'LAB/alice', ...from, ...mapping, '--grace', '0', '--receipt', receipt, '--events', events]
          const words = ['nbtrun', ...options, '--', '/bin/sh', '-c', 'echo "program $$"; read -r line']
          const start = source === '--password-fd' ? ['/bin/sh', '-c', 'exec "$@" 3<"$0"', file, ...words] : words
          const env = way === 'none' ? {} : { NBTRUN_TEST_WAY: way }
          const run = source === 'the prompt' ? await typed(lab, start, { user, env }, secret) : await spawned(lab, start, { user, env })

          const nodes = processesLike(lab, /^\S*\bnode /)
          assert.ok(nodes.includes(run.pid) && nodes.length === (way === 'b1' ? 2 : 1), `${nodes.length} of Node`)
          for (const pid of lab.processes('client1'))
            for (const what of ['cmdline', 'environ']) assert.deepEqual(foundIn(ofProcess(pid, what), forms), [], `${what} of ${pid}`)
          for (const pid of nodes) {
            const memory = memoryOf(pid)
            assert.ok(pid !== run.pid || memory.includes(Buffer.from(receipt)), 'its memory was read')
            assert.deepEqual(foundIn(memory, forms), [], `memory of ${pid}, ${pid === run.pid ? 'nbtrun' : 'its relay'}`)
          }
          run.go()
          await until('the end of the teardown', () => readFileSync(events, 'utf8').includes('"returned"'), 30_000)
          assert.deepEqual(foundIn(memoryOf(run.pid), forms), [], 'memory after the teardown')
          untilRefused(() => readSync(pipe, Buffer.alloc(65_536)))
          assert.equal(await run.code, 0)
          assert.deepEqual(foundIn(Buffer.concat([readFileSync(events), Buffer.from(run.shown())]), forms), [])
        } finally {
          closeSync(pipe)
          killAll(lab) // the next one has the client for itself, also after a failure
          await untilGone(lab)
        }
      })
})

interface Started {
  readonly pid: number
  /** What it wrote to its terminal. */
  shown(): string
  /** Lets the program end. */
  go(): void
  readonly code: Promise<number | undefined>
}

type Call = { readonly user: 'root' | 'alice'; readonly env: Readonly<Record<string, string>> }

async function spawned(lab: Lab, words: readonly string[], call: Call): Promise<Started> {
  const run = lab.spawn('client1', words, { ...call, stdin: 'pipe' })
  await said(run, 'program')
  return { pid: run.pid!, shown: () => '', go: () => run.stdin?.end('\n'), code: run.then(({ exitCode }) => exitCode) }
}

async function typed(lab: Lab, words: readonly string[], call: Call, password: string): Promise<Started> {
  const terminal = await lab.terminal('client1', words, call)
  await terminal.see('Password for ')
  terminal.line(password)
  await terminal.see('program ')
  return { pid: terminal.pid, shown: () => terminal.shown, go: () => terminal.line(''), code: terminal.end().then(({ code }) => code) }
}

/** Empty where the process has gone. */
function ofProcess(pid: number, what: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${what}`)
  } catch {
    return Buffer.alloc(0)
  }
}
