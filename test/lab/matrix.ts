import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Cell, cellEnv } from './cell.ts'
import type { Lab } from './lab.ts'
import { POOL } from './pool.ts'

const REPOSITORY = dirname(dirname(import.meta.dirname))

/** The acceptance of one combination: copying, locks, lifetime, signals, teardown, nothing left, each against the real server. The long ones first. */
export const ACCEPTANCE = ['tree', 'life', 'files', 'terminal', 'program', 'mapping', 'wire', 'combination'] as const

export interface CellResult {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly ms: number
}

/** Runs test files of test/lab as that cell, each in one of these labs (which speak the cell's wire already); what they say goes to `log`. */
export async function runCell(cell: Cell, files: readonly string[], labs: readonly Lab[], log: string): Promise<CellResult> {
  const began = performance.now()
  const paths = files.map(name => join(REPOSITORY, 'test', 'lab', `${name}.test.ts`))
  const options = ['--import', 'tsx', '--test', `--test-concurrency=${labs.length}`, '--test-timeout=300000', '--test-reporter=spec']
  // a test run inside a test run is otherwise taken for one of its files
  const { NODE_TEST_CONTEXT: _, ...own } = process.env
  const env = { ...own, ...cellEnv(cell), [POOL]: labs.map(({ file }) => file).join(':') }
  const child = spawn(process.execPath, [...options, `--test-reporter-destination=${log}`, ...paths], {
    cwd: REPOSITORY,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  const [code] = (await once(child, 'close')) as [number | null]
  process.off('exit', end)
  const said = readFileSync(log, 'utf8')
  const count = (what: string): number => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(said)?.[1] ?? 0)
  const failed = count('fail') + count('cancelled')
  const passed = count('pass')
  // a run that ended badly or tested nothing has failed, whatever it counted
  return { passed, failed: failed === 0 && (code !== 0 || passed === 0) ? 1 : failed, skipped: count('skipped'), ms: performance.now() - began }
}
