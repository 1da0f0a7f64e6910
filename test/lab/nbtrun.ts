import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pause } from '../../src/base/time.ts'
import type { Receipt } from '../../src/run/receipt.ts'
import { cell, ME, wayOf, WIRES } from './cell.ts'
import { entries, runs } from './journal.ts'
import { type Lab, missing, type Outcome, type RunOptions, type User } from './index.ts'

/** Why a test of the lab cannot run here, or false. */
export const noLab = missing('lab')
/** The same for a private mapping. */
export const noMapping = missing('lab', 'fuse')

export interface Call extends RunOptions {
  readonly client?: string
  /** Whose credentials; alice's unless told. */
  readonly as?: User
  readonly share?: string
  readonly options?: readonly string[]
  /** Without `--` before the program. */
  readonly bare?: boolean
}

/** The words of a run with alice's auth file on `//srv/app`. */
export function words(lab: Lab, program: readonly string[], { as = 'alice', share = '//srv/app', options = [], bare = false }: Call = {}): string[] {
  return ['nbtrun', '--share', share, '--auth-file', lab.authFile(as), ...options, ...(bare ? [] : ['--']), ...program]
}

/** Runs nbtrun on a client; a `user` other than root uses an auth file of their own. */
export function nbtrun(lab: Lab, program: readonly string[], call: Call = {}): Promise<Outcome> {
  return lab.run(call.client ?? 'client1', words(lab, program, { ...call, as: call.as ?? (call.user === 'root' ? 'alice' : call.user) ?? 'alice' }), call)
}

export interface WithReceipt extends Outcome {
  readonly receipt: Receipt
}

/** Who runs programs on the clients. */
const USERS_HERE = ['root', 'alice', 'bob'] as const

let receipts = 0

/** The same, with the receipt. */
export async function nbtrunReceipt(lab: Lab, program: readonly string[], call: Call = {}): Promise<WithReceipt> {
  const file = here(lab, `receipt-${++receipts}.json`, call)
  const outcome = await nbtrun(lab, program, { ...call, options: [...(call.options ?? []), '--receipt', file] })
  const receipt = JSON.parse(readFileSync(file, 'utf8')) as Receipt
  if (cell.way !== undefined) sameAsCell(receipt, call)
  return { ...outcome, receipt }
}

/** The receipt names this cell of the matrix for each share, and nothing else. */
export function sameAsCell({ shares }: Receipt, { user = ME }: Call): void {
  const wire = WIRES[cell.wire]
  for (const { dialect, signing, encryption, mapping, way } of shares) {
    assert.deepEqual([dialect, signing, encryption], [wire.dialect, wire.signing, wire.encryption])
    if (mapping !== 'none') assert.deepEqual([mapping, way], [wayOf(user) === 'c' ? 'shared' : 'private', wayOf(user)])
  }
}

/** A file of the user's on a client: in their temporary folder. */
export function here(lab: Lab, name: string, { user = ME, client = 'client1' }: Pick<Call, 'user' | 'client'> = {}): string {
  return join(lab.host(client).folder, 'tmp', user, name)
}

/** Puts an executable script on the disk of a share. */
export function script(lab: Lab, name: string, text: string, share = 'app'): void {
  const path = join(lab.server().diskPath(share), name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text.startsWith('#!') ? text : `#!/bin/sh\n${text}`)
  chmodSync(path, 0o777)
}

/** Nothing is left: no session and no tree on the servers, and no process, mount, folder or journal entry of a run on the client. */
export async function nothingLeft(lab: Lab, client = 'client1'): Promise<void> {
  await nothingLeftThere(lab)
  nothingLeftHere(lab, client)
}

/** No session and no tree on the servers. */
export async function nothingLeftThere(lab: Lab, ms?: number): Promise<void> {
  for (const { name } of lab.state.hosts.filter(({ role }) => role === 'server')) {
    await lab.server(name).untilSessions(0, ms)
    await lab.server(name).untilTrees(0, ms)
  }
}

export function nothingLeftHere(lab: Lab, client = 'client1'): void {
  nothingRunsHere(lab, client)
  for (const user of USERS_HERE) assert.deepEqual(entries(lab, client, user), [], `journal of ${user}`)
}

/** No process, mount or folder of a run; its journal may have an entry. */
export function nothingRunsHere(lab: Lab, client = 'client1'): void {
  const host = lab.host(client)
  assert.deepEqual(lab.processes(client).map(commandLine), [], `processes on ${client}`)
  const mounts = readFileSync(`/proc/${host.keeper.pid}/mountinfo`, 'utf8')
  assert.doesNotMatch(mounts, /fuse\.nbtrun/, `mounts on ${client}`)
  for (const user of USERS_HERE) {
    assert.deepEqual(readdirSync(join(host.folder, 'run', user)), [], `runtime folder of ${user}`)
    const left = readdirSync(join(host.folder, 'tmp', user)).filter(name => name.startsWith('nbtrun'))
    assert.deepEqual(left, [], `temporary folder of ${user}`)
  }
}

/**
 * The same where a server was lost: what it may hold is in the journal for the next login, and nothing else. Then nothing is left after `nbtrun reap`, as soon as
 * the server can be asked; that the kernel still says goodbye may take a while after a cable was out.
 */
export async function nothingLeftButSessions(lab: Lab, { client = 'client1', reachable = true } = {}): Promise<void> {
  const onlySessions = async (): Promise<number> => {
    const left = await runs(lab, {}, client)
    for (const { state, folders, mounts, sessions } of left)
      assert.deepEqual([state, folders, mounts, sessions.map(({ server }) => server)], ['dead', [], [], ['srv']])
    return left.length
  }
  await onlySessions()
  for (const dueAt = performance.now() + 120_000; ; await pause(200)) {
    await lab.run(client, ['nbtrun', 'reap'])
    if ((await onlySessions()) === 0 || !reachable || performance.now() > dueAt) break
  }
  if (reachable) nothingLeftHere(lab, client)
  else nothingRunsHere(lab, client)
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return `${pid}`
  }
}
