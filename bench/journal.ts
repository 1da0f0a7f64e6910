/**
 * node --import tsx bench/journal.ts: what the journal costs a run. Runs of /bin/true with the journal on the disk, in memory, and without one, alternating;
 * medians, and their ratio to the runs without.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startLab } from '../test/lab/index.ts'

const ROUNDS = 15

await using lab = await startLab()
const memory = join('/dev/shm', `nbtrun-bench-${process.pid}`)
mkdirSync(memory, { mode: 0o700 })
const places = { none: '/dev/null/none', memory, disk: join(lab.host('client1').folder, 'home', 'root', 'state') }
const words = ['nbtrun', '-q', '--share', '//srv/app', '--auth-file', lab.authFile(), '--', '/bin/true']

const times = new Map(Object.keys(places).map(place => [place, [] as number[]]))
for (let round = 0; round < ROUNDS; round++) {
  for (const [place, state] of Object.entries(places)) {
    const { code, ms, stderr } = await lab.run('client1', words, { env: { XDG_STATE_HOME: state } })
    if (code !== 0) throw new Error(stderr)
    await lab.server().untilWorkers(0)
    times.get(place)!.push(ms)
  }
}
rmSync(memory, { recursive: true })
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const without = median(times.get('none')!)
for (const [place, all] of times) console.log(`journal ${place}: ${median(all).toFixed(0)} ms, ratio ${(median(all) / without).toFixed(2)}`)
