// Many runs at once on one machine: HERD_RUNS (2,000) in all, HERD_AT_ONCE (200) of them at a time. Prints a table of what came of them and what a run costs.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, constants, mkdtempSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { here, noMapping, nothingLeft, words } from '../lab/nbtrun.ts'
import { UIDS } from '../lab/users.ts'

const RUNS = Number(process.env['HERD_RUNS'] ?? 2000)
const AT_ONCE = Number(process.env['HERD_AT_ONCE'] ?? 200)

interface One {
  readonly n: number
  readonly code: number
  readonly cpu: number
  readonly kib: number
  readonly s: number
}

/** 200 at once, and a server on the same few cores, are more than is answered within the 10 s that one run is given, and all of them leave at once. */
const PATIENT = ['--connect-timeout', '3m', '--io-timeout', '3m', '--teardown-timeout', '1m']
const SESSION = ['--mapping', 'none', '--grace', '0']
/** `holding`: so many have a session at once. */
const HERDS = [
  { name: 'private mapping', user: 'root', share: '//srv/app', total: RUNS, holding: AT_ONCE, options: PATIENT },
  { name: 'private mapping, way b2', user: 'alice', share: '//srv/app', total: AT_ONCE, holding: AT_ONCE, options: PATIENT },
  { name: 'session only', user: 'root', share: '//srv/app', total: AT_ONCE, holding: AT_ONCE, options: [...SESSION, ...PATIENT] },
  { name: 'one login after the other', user: 'root', share: '//srv/app', total: AT_ONCE, holding: AT_ONCE, options: ['--wait', '10m'] },
  { name: 'in line for 3 seats', user: 'root', share: '//srv/seats', total: AT_ONCE, holding: 3, options: [...SESSION, '--wait', '1h'] },
] as const
const WAYS = { root: {}, alice: { NBTRUN_TEST_WAY: 'b2' } } as const

describe(`${RUNS} runs, ${AT_ONCE} at once`, { skip: noMapping, timeout: 3_600_000 }, () => {
  let lab: Lab
  const table: string[][] = []
  before(async () => {
    lab = await startLab({ servers: { srv: { shares: { seats: ['read only = no', 'max connections = 3'] } }, srv2: {} } })
  })
  after(() => {
    if (table.length > 0) process.stdout.write(`${tableOf([HEAD, ...table])}\n`)
  })

  for (const { name, user, share, total, holding, options } of HERDS) {
    test(`${user}, ${name}: ${holding} sessions at once, each run has its own exit code, and nothing is left`, { timeout: 3_000_000 }, async () => {
      const driver = ['python3', join(lab.host('client1').folder, 'repository', 'test', 'slow', 'herd.py'), `${total}`, `${AT_ONCE}`]
      const gate = new Gate(here(lab, 'herd-', { user }), user === 'root' ? 0 : UIDS[user])
      const program = ['/bin/sh', '-c', gate.script, 'sh', '{n}']
      const began = performance.now()
      const herd = lab.run('client1', [...driver, ...words(lab, program, { share, options })], { user, env: WAYS[user], timeout: 2_900_000 })
      await Promise.race([gate.until(holding), herd])
      const { length } = await lab.server().sessions()
      gate.open()
      const { stdout, stderr, code } = await herd
      gate.close()
      const seconds = (performance.now() - began) / 1000
      const runs = stdout
        .trim()
        .split('\n')
        .filter(Boolean)
        .map(line => JSON.parse(line) as One)
      const wrong = runs.filter(one => one.code !== one.n % 100)
      const left = await nothingLeft(lab).then(
        () => [],
        (thrown: unknown) => [thrown],
      )
      const right = `${runs.length - wrong.length} of ${total}`
      const each = { mib: of(runs, one => one.kib / 1024, 0), cpu: of(runs, one => one.cpu, 2), s: of(runs, one => one.s, 1) }
      const leftOver = left.length === 0 ? 'nothing' : 'something'
      table.push([`${user}, ${name}`, `${total}`, `${AT_ONCE}`, right, leftOver, each.mib, each.cpu, each.s, seconds.toFixed(0)])
      assert.deepEqual([code, stderr.slice(0, 500)], [0, ''])
      assert.ok(length >= holding, `${length} sessions`)
      assert.deepEqual([runs.length, wrong, left], [total, [], []])
    })
  }
})

/** Keeps the programs of a herd until enough of them are there. */
class Gate {
  readonly #folder: string
  #opening: NodeJS.Timeout | undefined
  #closed = false

  /** In a folder with this beginning, which is that user's. */
  constructor(beginning: string, uid: number) {
    this.#folder = mkdtempSync(beginning)
    execFileSync('mkfifo', [join(this.#folder, 'gate')])
    for (const path of [this.#folder, join(this.#folder, 'gate')]) chownSync(path, uid, uid)
  }

  /** `$1` is the run's number, and its exit code. Whoever waits costs nothing: opening the pipe waits for one who opens the other end. */
  get script(): string {
    return `: >${this.#folder}/$1; [ -e ${this.#folder}/open ] || : <${this.#folder}/gate; exit $(($1 % 100))`
  }

  async until(programs: number): Promise<void> {
    while (!this.#closed && readdirSync(this.#folder).length <= programs) await pause(200)
  }

  /** Again and again: one may have looked just before. */
  open(): void {
    writeFileSync(join(this.#folder, 'open'), '')
    this.#opening = setInterval(() => {
      try {
        closeSync(openSync(join(this.#folder, 'gate'), constants.O_WRONLY | constants.O_NONBLOCK))
      } catch {} // nobody waits
    }, 50)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#opening)
  }
}

const PER_RUN = ['MiB', 'CPU seconds', 'seconds'].map(what => `${what} per run`)
const HEAD = ['who (per run: the middle / the worst one)', 'runs', 'at once', 'exit codes right', 'left over', ...PER_RUN, 'seconds in all']

/** The middle and the worst one. */
function of(runs: readonly One[], value: (one: One) => number, digits: number): string {
  const sorted = runs.map(value).sort((a, b) => a - b)
  return [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map(number => number?.toFixed(digits) ?? '-').join(' / ')
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, at) => Math.max(...rows.map(row => row[at]!.length)))
  const line = (row: readonly string[]): string => `| ${row.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`
  const [head = [], ...others] = rows
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...others.map(line)].join('\n')
}
