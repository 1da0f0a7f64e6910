// Many runs at once on one machine: HERD_RUNS (2,000) in all, HERD_AT_ONCE (200) of them at a time. Prints what a run costs.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
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
  'private mapping': { share: '//srv/app', total: RUNS, options: PATIENT },
  'session only': { share: '//srv/app', total: RUNS / 10, options: ['--mapping', 'none', '--grace', '0', ...PATIENT] },
  'one after the other': { share: '//srv/app', total: RUNS / 10, options: ['--wait', '10m'] },
  'in line for 3 seats': { share: '//srv/seats', total: RUNS / 10, options: ['--mapping', 'none', '--grace', '0', '--wait', '1h'] },
} as const

describe(`${RUNS} runs, ${AT_ONCE} at once`, { skip: noMapping, timeout: 3_600_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { shares: { seats: ['read only = no', 'max connections = 3'] } }, srv2: {} } })
  })

  for (const [name, { share, total, options }] of Object.entries(HERDS)) {
    test(`${name}: each has its own exit code, and nothing is left`, { timeout: 3_000_000 }, async t => {
      const driver = ['python3', join(lab.host('client1').folder, 'repository', 'test', 'slow', 'herd.py'), `${total}`, `${AT_ONCE}`]
      const program = ['/bin/sh', '-c', 'exit $(($1 % 100))', 'sh', '{n}']
      const began = performance.now()
      const run = words(lab, program, { share, options })
      const { stdout, stderr, code } = await lab.run('client1', [...driver, ...run], { timeout: 2_900_000 })
      const seconds = (performance.now() - began) / 1000
      assert.deepEqual([code, stderr.slice(0, 500)], [0, ''])
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
