import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Cell, DIAGONAL } from './cell.ts'
import { startLab } from './index.ts'
import { runCell } from './matrix.ts'
import { noMapping } from './nbtrun.ts'

// `npm run matrix` is the whole of it
for (const cell of DIAGONAL) test(`a cell of the matrix: ${cell.way} × ${cell.wire}`, { skip: noMapping }, () => passes(cell))

async function passes(cell: Cell): Promise<void> {
  await using lab = await startLab({ servers: { srv: {}, srv2: {} }, clients: ['client1'], wire: cell.wire, reachable: false })
  const log = join(lab.state.folder, 'cell.log')
  const { passed, failed } = await runCell(cell, ['combination'], [lab], log)
  assert.deepEqual([passed, failed], [2, 0], readFileSync(log, 'utf8'))
}
