import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openMapping } from '../../../src/mapping/choose.ts'
import type { Mapping, Point } from '../../../src/mapping/mapping.ts'
import { noMapping } from '../../../src/mapping/none.ts'
import { openDrives } from '../../../src/mapping/windows/drives.ts'
import { noDrive, processLifetime } from '../../../src/mapping/windows/lifetime.ts'
import { cannotMount } from './fuse/mounted.ts'
import { serveFlat } from './room-fuse.ts'
import { Machine, Workstation } from './windows/workstation.ts'

const base = mkdtempSync(join(tmpdir(), 'nbtrun-contract-'))
after(() => rmSync(base, { recursive: true, force: true }))

async function room(runId: string): Promise<Mapping> {
  const path = mkdtempSync(join(base, 'room-'))
  const points: Point[] = [{ files: { label: '//srv/app' } as unknown as Point['files'], path, readOnly: false }]
  const { signal } = new AbortController()
  const serve = serveFlat({ hello: 'hello\n' }, process.getuid?.() ?? 0)
  const { mapping } = await openMapping({
    kind: 'private',
    points,
    serve,
    signal,
    blocking: false,
    runId,
    killAfterMs: 5000,
    warn: () => {},
    onMount: () => {},
    embedded: false,
  })
  return mapping
}

interface Row {
  readonly name: string
  readonly kind: Mapping['kind']
  readonly open: (runId: string) => Promise<Mapping>
  /** Whether it knows who uses it. */
  readonly knowsUsers: boolean
  readonly skip?: string | false
}

const windows = new Workstation()
const wanted = [{ remote: '\\\\srv\\app', device: 'P:', login: undefined }]
const ROWS: readonly Row[] = [
  { name: 'private', kind: 'private', open: room, knowsUsers: true, skip: cannotMount },
  { name: 'none', kind: 'none', open: runId => noMapping(runId, 5000), knowsUsers: true },
  {
    name: 'drive, over a peer in place of Windows and without a job',
    kind: 'drive',
    open: runId => openDrives({ network: windows, book: new Machine().book(runId), wanted, lifetime: processLifetime(), force: false }),
    knowsUsers: false,
  },
  { name: 'none on Windows, without a job', kind: 'none', open: async () => noDrive(processLifetime()), knowsUsers: false },
]

/** What every mapping owes: see `Mapping`. The shared one is not for a process that runs tests, too: it hides its memory, and inherits every orphan. */
for (const { name, kind, open, knowsUsers, skip = false } of ROWS) {
  describe(`the mapping ${name}`, { skip, timeout: 120_000 }, () => {
    test('is used while its program lives, then unused, and ends as often as it is told', async () => {
      const runId = randomBytes(4).toString('hex')
      const mapping = await open(runId)
      try {
        assert.equal(mapping.kind, kind)
        const words: readonly string[] = [...mapping.enter(process.cwd()), 'sh', '-c', 'echo $$; read -r line']
        const [command = '', ...args] = words
        const program = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NBTRUN_RUN_ID: runId } })
        const exited = once(program, 'exit')
        const [pid] = (await once(program.stdout, 'data')) as [Buffer]
        assert.equal(Number(String(pid)), program.pid, 'each word execs the next')
        await mapping.entered(program.pid ?? 0)
        let isUnused = false
        void mapping.unused.then(() => (isUnused = true))
        if (knowsUsers) assert.ok((await mapping.users()).includes(program.pid ?? 0))
        assert.equal(isUnused, false)
        program.stdin.end()
        await exited
        await mapping.unused
        assert.deepEqual(await mapping.users(), [])
      } finally {
        await mapping.end()
      }
      await mapping.end()
      assert.deepEqual(await windows.connections(), [])
    })

    test('that nobody ever used ends, too', async () => {
      const mapping = await open(randomBytes(4).toString('hex'))
      await mapping.end()
      await mapping.unused
    })
  })
}
