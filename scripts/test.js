// npm test: starts the labs once, runs every test file, takes the labs down.
// usage: node scripts/test.js [unit | lab | story | slow | package | FILE...]    nothing: all but slow, whose tests take minutes each, and package, which
// tests what `npm run test:package` builds
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { tsImport } from 'tsx/esm/api'

const root = dirname(import.meta.dirname)
const words = process.argv.slice(2)
const isIn = (folder, file) => file.startsWith(join('test', folder))
const isSlow = file => isIn('slow', file)

const testsIn = folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => join(folder, name))
const files =
  words.length === 0
    ? testsIn('test').filter(file => !isSlow(file) && !isIn('package', file))
    : words.flatMap(word => (word.endsWith('.ts') ? [word] : testsIn(join('test', word))))
const isUnit = file => isIn('unit', file)
// the long ones first, so that the short ones fill the lanes at the end
files.sort((a, b) => Number(isUnit(a)) - Number(isUnit(b)) || a.localeCompare(b))

const lab = await tsImport('../test/lab/index.ts', import.meta.url)
const elsewhere = await lab.runAsRoot()
if (elsewhere !== undefined) process.exit(elsewhere)

const lanes = Math.max(2, Math.min(4, availableParallelism()))
const labs = files.every(isUnit) ? [] : await startLabs(lab, lanes)
const state = mkdtempSync(join(tmpdir(), 'nbtrun-state-')) // the journal of whoever tests is not touched
const env = { ...process.env, LAB_POOL: labs.map(({ file }) => file).join(':'), XDG_STATE_HOME: state, LAB_WINE: join(state, 'wine') }
const limitMs = files.some(isSlow) ? 3_600_000 : 900_000
const options = ['--import', 'tsx', '--test', `--test-concurrency=${lanes}`, `--test-timeout=${limitMs}`, '--test-reporter=spec']
const tests = spawn(process.execPath, [...options, ...files], { cwd: root, env, stdio: 'inherit' })
process.once('SIGTERM', () => tests.kill('SIGTERM'))
tests.once('exit', (code, signal) => {
  for (const each of labs) each.dispose()
  rmSync(state, { recursive: true, force: true })
  if (signal !== null) process.kill(process.pid, signal)
  process.exitCode = code ?? 1
})

/** One lab per lane: a test file has one to itself. None where this machine cannot have one; the tests then say why they are skipped. */
async function startLabs({ ensurePackages, missing, startLab }, count) {
  ensurePackages([
    'lab',
    'rootless',
    'capture',
    'terminal',
    'processes',
    'calls',
    'fuse3',
    'nbtscan',
    'impacket',
    'wine',
    'mingw',
    'desktop',
    'systemd',
    'ansible',
    'zsh',
    'fish',
    ...(files.some(isSlow) ? ['debootstrap'] : []),
  ])
  if (missing('lab') !== false) return []
  return Promise.all(Array.from({ length: count }, () => startLab()))
}
