// npm run matrix: the acceptance of every way of mapping with every dialect, signature and cipher, as a table. Details: matrix.log.
// usage: npm run matrix -- [--ways root,b2] [--wires '2.1,GCM-256'] [--files files,life]
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Way, WAYS, type WireName, WIRES } from '../test/lab/cell.ts'
import { chosen, grid } from '../test/lab/grid.ts'
import { ensurePackages, missing, runAsRoot, startLab } from '../test/lab/index.ts'
import { ACCEPTANCE, type CellResult, runCell } from '../test/lab/matrix.ts'

/** Tests wait more than they compute: a lab more than there are processors. */
const LANES = 3
const LOG = join(dirname(import.meta.dirname), 'matrix.log')

type Results = Map<`${Way} ${WireName}`, CellResult>

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { ways: { type: 'string' }, wires: { type: 'string' }, files: { type: 'string' } } })
  const ways = chosen(Object.keys(WAYS) as Way[], values.ways, '--ways')
  const wires = chosen(Object.keys(WIRES) as WireName[], values.wires, '--wires')
  const files = chosen(ACCEPTANCE, values.files, '--files')
  const elsewhere = await runAsRoot()
  if (elsewhere !== undefined) return elsewhere
  ensurePackages(['lab', 'capture', 'terminal', 'processes', 'fuse3'])
  const why = missing('lab', 'fuse', 'capture', 'terminal')
  if (why !== false) throw new Error(why)
  const results: Results = new Map()
  writeFileSync(LOG, '')
  for (const wire of wires) await column(wire, ways, files, results)
  console.log(`\n${table(ways, wires, results)}`)
  const good = [...results.values()].every(({ failed }) => failed === 0)
  console.log(good ? '\nEvery cell passes.' : `\nWhat failed, and how: ${LOG}`)
  return good ? 0 : 1
}

async function column(wire: WireName, ways: readonly Way[], files: readonly string[], results: Results): Promise<void> {
  const labs = await Promise.all(Array.from({ length: LANES }, () => startLab({ wire })))
  try {
    for (const way of ways) {
      const log = join(labs[0]!.state.folder, 'cell.log')
      rmSync(log, { force: true })
      const result = await runCell({ way, wire }, files, labs, log)
      results.set(`${way} ${wire}`, result)
      console.error(`${way} × ${wire}: ${tell(result)}`)
      appendFileSync(LOG, `\n== ${way} × ${wire}: ${tell(result)}\n\n${existsSync(log) ? readFileSync(log, 'utf8') : ''}`)
    }
  } finally {
    for (const lab of labs) lab.dispose()
  }
}

function tell({ passed, failed, skipped, ms }: CellResult): string {
  const counted = failed === 0 ? `pass ${passed}` : `FAIL ${failed} of ${passed + failed}`
  return `${counted}${skipped === 0 ? '' : `, skip ${skipped}`}, ${Math.round(ms / 1000)} s`
}

function table(ways: readonly Way[], wires: readonly WireName[], results: Results): string {
  const rows = [
    ['', ...wires],
    ...ways.map(way => [
      way,
      ...wires.map(wire => {
        const result = results.get(`${way} ${wire}`)
        return result === undefined ? '' : tell(result)
      }),
    ]),
  ]
  return grid(rows)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`matrix: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
