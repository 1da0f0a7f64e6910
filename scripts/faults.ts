// npm run faults: everything that can go wrong, at every place in the life of a run, as a table; after each nothing is left on either side.
// usage: npm run faults -- [--places login,grace] [--faults TERM,RST] [--ways b2,root] [--times 20] [--jobs 3]
// Unless told otherwise the way of ordinary users has each cell 20 times, and each other way three times. A round in which the run was not at that place, or nothing
// happened to it, says nothing: it is played again, and a cell with more of them than of others is void.
import { parseArgs } from 'node:util'
import { FAULTS, type FaultName, impossible } from '../test/faults/faults.ts'
import { PLACES, type PlaceName } from '../test/faults/places.ts'
import { playRound } from '../test/faults/round.ts'
import { type Counted, count, isGreen, isOver, legend, table, tell, uncounted } from '../test/faults/table.ts'
import { type FaultWayName, WAYS } from '../test/faults/ways.ts'
import { chosen } from '../test/lab/grid.ts'
import { ensurePackages, type Lab, missing, runAsRoot, startLab } from '../test/lab/index.ts'

const LAB = { servers: { srv: {} }, clients: ['client1'] } as const

interface Job {
  readonly way: FaultWayName
  readonly place: PlaceName
  readonly fault: FaultName
}

function whole(text: string, option: string): number {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1) throw new Error(`${option} ${text} is no whole number above 0`)
  return n
}

async function main(): Promise<number> {
  const string = { type: 'string' } as const
  const { values } = parseArgs({ options: { places: string, faults: string, ways: string, times: string, jobs: string } })
  const places = chosen(Object.keys(PLACES) as PlaceName[], values.places, '--places')
  const faults = chosen(Object.keys(FAULTS) as FaultName[], values.faults, '--faults')
  const ways = chosen(Object.keys(WAYS) as FaultWayName[], values.ways, '--ways')
  const asked = values.times === undefined ? undefined : whole(values.times, '--times')
  const times = (way: FaultWayName): number => asked ?? WAYS[way].times
  const lanes = whole(values.jobs ?? '3', '--jobs')
  const elsewhere = await runAsRoot()
  if (elsewhere !== undefined) return elsewhere
  ensurePackages(['lab', 'processes', 'calls', 'fuse3'])
  const why = missing('lab', 'calls', 'fuse3', 'fuse')
  if (why !== false) throw new Error(why)
  const cells = ways.flatMap(way => faults.flatMap(fault => places.map((place): Job => ({ way, place, fault }))))
  const jobs = cells.filter(({ way, place, fault }) => impossible(PLACES[place], FAULTS[fault], WAYS[way]) === undefined)
  const results = new Map<string, Counted>()
  await Promise.all(Array.from({ length: lanes }, () => lane(jobs, times, results)))
  for (const way of ways)
    console.log(
      `\n${WAYS[way].legend} (${way}), each cell ${times(way)} times:\n${table(places, faults, way, (place, fault) => results.get(`${way} ${place} ${fault}`))}`,
    )
  console.log(`\n${legend(places, faults, ways)}`)
  const bad = [...results].filter(([, counted]) => !isGreen(counted))
  const sum = (of: 'green' | 'voids'): number => [...results.values()].reduce((so, counted) => so + counted[of], 0)
  if (bad.length === 0) console.log(`\nAll ${results.size} cells are green, ${sum('green')} runs in all, and nothing was left.`)
  if (sum('voids') > 0) console.log(`\nVoid rounds, which say nothing and do not count: ${sum('voids')}.`)
  for (const [name, counted] of bad) console.log(`\n${name}: ${tell(counted)}\n${counted.why.replaceAll(/^/gm, '  ')}`)
  return bad.length === 0 ? 0 : 1
}

/** Takes cells until there is none left, in a lab of its own; one that was not green may have left its lab in any state. */
async function lane(jobs: Job[], times: (way: FaultWayName) => number, results: Map<string, Counted>): Promise<void> {
  let lab: Lab | undefined
  try {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const { way, place, fault } = job
      let counted = uncounted(times(way))
      const began = performance.now()
      for (let round = 0; !isOver(counted); round++) {
        lab ??= await startLab(LAB)
        const verdict = await playRound(lab, { place: PLACES[place], fault: FAULTS[fault], way: WAYS[way] }, round)
        counted = count(counted, verdict)
        if (verdict.result === 'green') continue
        lab.dispose()
        lab = undefined
      }
      results.set(`${way} ${place} ${fault}`, counted)
      console.error(
        `${way} ${place} × ${fault}: ${tell(counted)}, ${Math.round((performance.now() - began) / 1000)} s${counted.why === '' ? '' : `\n${counted.why}`}`,
      )
    }
  } finally {
    lab?.dispose()
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`faults: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
