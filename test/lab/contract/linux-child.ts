// Keeps the contract with one way of mapping of Linux, as whoever runs it, and prints what became of each promise: a shared mapping is not for a process
// that runs tests, too, for it hides its memory and inherits every orphan. `linux-child.ts WAY [blocking]`
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openMapping, type Way } from '../../../src/mapping/choose.ts'
import { serveFuse } from '../../../src/mapping/fuse/server.ts'
import type { Mapping, Point } from '../../../src/mapping/mapping.ts'
import { noMapping } from '../../../src/mapping/none.ts'
import { DiskFiles } from '../../unit/mapping/fuse/disk-files.ts'
import { keep } from './promises.ts'
import type { Subject, Taken } from './subject.ts'

const [way = 'none', read] = process.argv.slice(2)
const base = mkdtempSync(join(tmpdir(), 'nbtrun-contract-'))
const [folder, disk] = [join(base, 'beside'), join(base, 'disk')]
for (const path of [folder, disk]) mkdirSync(path)
const launcher = join(disk, 'launcher')
copyFileSync(fileURLToPath(new URL('../fixtures/launcher.sh', import.meta.url)), launcher)
chmodSync(launcher, 0o755)
writeFileSync(join(disk, 'data'), 'some')

const KILL_AFTER_MS = 5000

function startIn(mapping: Mapping, program: string, runId: string): Taken['start'] {
  return async (cwd, words) => {
    const [command = '', ...args] = [...mapping.enter(cwd), program, ...words]
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NBTRUN_RUN_ID: runId } })
    const exited = once(child, 'exit')
    await mapping.entered(child.pid ?? 0)
    return { pid: child.pid ?? 0, exited }
  }
}

async function openThrough(points: readonly string[]): Promise<{ readonly mapping: Mapping; readonly said: readonly string[]; readonly runId: string }> {
  const runId = randomBytes(4).toString('hex')
  const said: string[] = []
  const { mapping } = await openMapping({
    kind: way === 'c' ? 'shared' : 'private',
    only: way as Way,
    points: points.map((path): Point => ({ files: new DiskFiles(disk), path, readOnly: false })),
    serve: (attach, { files, readOnly }, forAll) =>
      serveFuse({ attach, files, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, readOnly, forAll }),
    signal: new AbortController().signal,
    blocking: read === 'blocking',
    runId,
    killAfterMs: KILL_AFTER_MS,
    warn: message => void said.push(message),
  })
  return { mapping, said, runId }
}

/** Mounts, and processes of ours, but for the one that translates TypeScript. */
async function left(): Promise<string[]> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => line.includes(base))
  const children = readdirSync('/proc/self/task').flatMap(thread => readFileSync(`/proc/self/task/${thread}/children`, 'latin1').split(' ').filter(Boolean))
  return [...mounts, ...children.map(wordsOf).filter(words => words !== '' && !words.includes('esbuild'))]
}

/** Empty for one that is gone, and for a zombie. */
function wordsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

const fuse: Subject = {
  kind: way === 'c' ? 'shared' : 'private',
  folder,
  left,
  async open() {
    const point = mkdtempSync(join(base, 'point-'))
    const { mapping, said, runId } = await openThrough([point])
    return { mapping, point, said, start: startIn(mapping, join(point, 'launcher'), runId) }
  },
  openHalf: () => openThrough([mkdtempSync(join(base, 'point-')), join(base, 'no-such-folder')]),
  hold: ({ point }) => ({
    words: [`/hold:${point}/data`],
    names: pid => [/\bdata\b/, new RegExp(`\\(${pid}\\)`)],
    letGo: async () => {},
  }),
  // a process of its own: this one serves the answer
  isSeenOutside: async ({ point }) => {
    const [code] = (await once(spawn('test', ['-e', `${point}/data`], { stdio: 'ignore' }), 'exit')) as [number | null]
    return code === 0
  },
}

const none: Subject = {
  kind: 'none',
  folder,
  left,
  async open() {
    const runId = randomBytes(4).toString('hex')
    const mapping = await noMapping(runId, KILL_AFTER_MS)
    return { mapping, point: undefined, said: [], start: startIn(mapping, launcher, runId) }
  },
}

const outcomes = await (way === 'none' ? keep('none', none) : keep(way === 'c' ? 'shared' : 'private', fuse))
console.log(JSON.stringify(outcomes))
rmSync(base, { recursive: true })
process.exit(0)
