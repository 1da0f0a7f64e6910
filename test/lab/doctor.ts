import assert from 'node:assert/strict'
import type { Row } from '../../src/run/doctor/doctor.ts'
import type { Lab, Outcome, RunOptions } from './index.ts'
import { faultsOfDoctor } from './schemas.ts'

/** What `nbtrun doctor --json` says. */
export interface Report {
  readonly target: string | null
  readonly healthy: boolean
  readonly rows: readonly Row[]
}

export interface Examined extends Report {
  readonly code: number | undefined
  readonly stderr: string
  /** `share.login LOGON_FAILED` */
  readonly findings: readonly string[]
  /** The same of what works and should be known. */
  readonly notes: readonly string[]
}

/** Runs the doctor on a client; `before` are words that lead to it. */
export async function doctor(lab: Lab, words: readonly string[], options: RunOptions = {}, before: readonly string[] = []): Promise<Examined> {
  return examined(await lab.run('client1', [...before, 'nbtrun', 'doctor', ...words, '--json'], options))
}

/** Its answer, as its schema and its exit code say. */
export function examined({ code, stdout, stderr }: Pick<Outcome, 'code' | 'stdout' | 'stderr'>): Examined {
  assert.notEqual(stdout, '', stderr)
  const report = JSON.parse(stdout) as Report
  assert.deepEqual(faultsOfDoctor(report), [])
  const coded = (state: Row['state']): string[] =>
    report.rows.filter(row => row.state === state && row.code !== null).map(({ group, check, code: symptom }) => `${group}.${check} ${symptom}`)
  const findings = coded('finding')
  assert.deepEqual([code, report.healthy], findings.length === 0 ? [0, true] : [1, false], stdout)
  for (const { state, cure, check } of report.rows) if (state === 'finding') assert.ok(cure !== null, `${check} has no cure`)
  return { ...report, code, stderr, findings, notes: coded('note') }
}

/** The row of a check; the first of that name. */
export function row({ rows }: Report, name: string): Row {
  const found = rows.find(({ group, check }) => `${group}.${check}` === name)
  assert.ok(found !== undefined, `there is no row ${name}`)
  return found
}

/** The checks in this state. */
export function inState({ rows }: Report, ...states: readonly Row['state'][]): string[] {
  return rows.filter(({ state }) => states.includes(state)).map(({ group, check }) => `${group}.${check}`)
}

/** Those of these groups: what this machine lacks is not the server's. */
export function only(coded: readonly string[], ...groups: readonly string[]): string[] {
  return coded.filter(each => groups.some(group => each.startsWith(`${group}.`)))
}
