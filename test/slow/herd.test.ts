// Many runs at once on one machine: HERD_RUNS (2,000) in all, HERD_AT_ONCE (200) of them at a time. Prints what a run costs.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, startLab } from '../lab/index.ts'
import { noMapping, nothingLeft, words } from '../lab/nbtrun.ts'

const RUNS = Number(process.env['HERD_RUNS'] ?? 2000)
const AT_ONCE = Number(process.env['HERD_AT_ONCE'] ?? 200)

interface One {
  readonly n: number
  readonly code: number
  readonly cpu: number
  readonly kib: number
  readonly s: number
}

/** 200 at once, and a server on the same few cores, are more than is answered within the 10 s that one run is given. */
const PATIENT = ['--connect-timeout', '3m', '--io-timeout', '3m']
const HERDS = {
  'private mapping': { share: '//srv/app', total: RUNS, together: AT_ONCE, options: PATIENT },
  'session only': { share: '//srv/app', total: AT_ONCE, together: AT_ONCE, options: ['--mapping', 'none', '--grace', '0', ...PATIENT] },
  'one login after the other': { share: '//srv/app', total: AT_ONCE, together: AT_ONCE, options: ['--wait', '10m'] },
  'in line for 3 seats': { share: '//srv/seats', total: AT_ONCE, together: 3, options: ['--mapping', 'none', '--grace', '0', '--wait', '1h'] },
} as const

describe(`${RUNS} runs, ${AT_ONCE} at once`, { skip: noMapping, timeout: 3_600_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { shares: { seats: ['read only = no', 'max connections = 3'] } }, srv2: {} } })
  })

  for (const [name, { share, total, together, options }] of Object.entries(HERDS)) {
    test(`${name}: ${together} sessions at once, each run has its own exit code, and nothing is left`, { timeout: 3_000_000 }, async t => {
      const driver = ['python3', join(lab.host('client1').folder, 'repository', 'test', 'slow', 'herd.py'), `${total}`, `${AT_ONCE}`]
      const gate = new Gate(mkdtempSync(join(lab.host('client1').folder, 'herd-')))
      const program = ['/bin/sh', '-c', gate.script, 'sh', '{n}']
      const began = performance.now()
      const run = words(lab, program, { share, options })
      const herd = lab.run('client1', [...driver, ...run], { timeout: 2_900_000 })
      await Promise.race([gate.until(together), herd])
      const { length } = await lab.server().sessions()
      gate.open()
      const { stdout, stderr, code } = await herd
      gate.close()
      const seconds = (performance.now() - began) / 1000
      assert.deepEqual([code, stderr.slice(0, 500)], [0, ''])
      assert.ok(length >= together, `${length} sessions`)
      const runs = stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as One)
      assert.equal(runs.length, total)
      assert.deepEqual(
        runs.filter(one => one.code !== one.n % 100),
        [],
      )
      await nothingLeft(lab)
      for (const line of rows(name, runs, seconds)) t.diagnostic(line)
    })
  }
})

/** Keeps the programs of a herd until enough of them are there. */
class Gate {
  readonly #folder: string
  #opening: NodeJS.Timeout | undefined

  constructor(folder: string) {
    this.#folder = folder
    execFileSync('mkfifo', [join(folder, 'gate')])
  }

  /** `$1` is the run's number, and its exit code. Whoever waits costs nothing: opening the pipe waits for one who opens the other end. */
  get script(): string {
    return `: >${this.#folder}/$1; [ -e ${this.#folder}/open ] || : <${this.#folder}/gate; exit $(($1 % 100))`
  }

  async until(programs: number): Promise<void> {
    while (readdirSync(this.#folder).length <= programs) await pause(200)
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
    clearInterval(this.#opening)
  }
}

/** One row of a table: middle and worst. */
function rows(name: string, runs: readonly One[], seconds: number): string[] {
  const of = (value: (one: One) => number): [number, number] => {
    const sorted = runs.map(value).sort((a, b) => a - b)
    return [sorted[Math.floor(sorted.length / 2)] ?? 0, sorted.at(-1) ?? 0]
  }
  const both = ([middle, worst]: [number, number], digits: number): string => `${middle.toFixed(digits)} / ${worst.toFixed(digits)}`
  const cells = [
    name,
    `${runs.length}`,
    both(
      of(one => one.cpu),
      2,
    ),
    both(
      of(one => one.kib / 1024),
      0,
    ),
    both(
      of(one => one.s),
      1,
    ),
    seconds.toFixed(0),
  ]
  return ['| herd | runs | CPU s, middle / worst | memory MiB | duration s | in all s |', `| ${cells.join(' | ')} |`]
}
