import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { programEnvironment } from '../../../src/app/environment.ts'
import { expand } from '../../../src/app/expand.ts'
import { stdioOf } from '../../../src/app/descriptors.ts'
import { startProgram } from '../../../src/app/start.ts'

/** As one plain module: a loader would have descriptors of its own. */
const CHILD = join(mkdtempSync(join(tmpdir(), 'start-')), 'child.mjs')
before(async () => {
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" }
  const entryPoints = [fileURLToPath(new URL('start-child.ts', import.meta.url))]
  await build({ entryPoints, outfile: CHILD, bundle: true, platform: 'node', format: 'esm', banner })
})
after(() => rmSync(dirname(CHILD), { recursive: true }))

const start = (words: readonly string[], env: Record<string, string> = { PATH: '/usr/bin:/bin' }) => startProgram({ words, env, descriptors: [] })

/** Runs nbtrun's part in a process of its own, below a shell that opens what `redirections` say; returns what the program found open. */
async function descriptorsSeen(redirections: string): Promise<Record<string, string>> {
  const script = `exec "$@" ${redirections}`
  const child = spawn('bash', ['-c', script, 'bash', process.execPath, CHILD], { stdio: ['ignore', 'pipe', 'inherit'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  await once(child, 'close')
  const seen: Record<string, string> = JSON.parse(Buffer.concat(parts).toString())
  return Object.fromEntries(Object.entries(seen).filter(([fd]) => Number(fd) > 2))
}

test('descriptors open at the start reach the program under their own numbers, and none of ours does', { timeout: 280_000 }, async () => {
  const usual = await descriptorsSeen('') // what this machine leaves open to everybody
  const seen = await descriptorsSeen('7</etc/hostname 3>/dev/null 23</etc/passwd 5< <(read x)')
  const { 5: pipe, 63: other, ...rest } = seen
  assert.match(pipe ?? '', /^pipe:/)
  assert.ok(other === undefined || other === pipe, 'bash leaves its own end of the pipe open')
  assert.deepEqual(rest, { ...usual, 3: '/dev/null', 7: '/etc/hostname', 23: '/etc/passwd' })
})

test('both ends of a pipe reach the program where the parent holds them, as make does', { timeout: 280_000 }, async () => {
  const script = `
import os, subprocess, sys
r, w = os.pipe()
os.dup2(r, 13); os.dup2(w, 14)
out = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=(13, 14), check=True).stdout
print(out.decode())`
  const child = spawn('/usr/bin/python3', ['-c', script, process.execPath, CHILD], { stdio: ['ignore', 'pipe', 'inherit'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  await once(child, 'close')
  const seen = JSON.parse(Buffer.concat(parts).toString())
  assert.match(seen[13] ?? '', /^pipe:/)
  assert.equal(seen[13], seen[14])
  assert.deepEqual(Object.keys(seen), ['0', '1', '2', '13', '14'])
})

test('numbers between the descriptors stay closed', () => {
  assert.deepEqual(stdioOf([]), ['inherit', 'inherit', 'inherit'])
  assert.deepEqual(stdioOf([4, 7]), ['inherit', 'inherit', 'inherit', 'ignore', 4, 'ignore', 'ignore', 7])
})

test('a program gives its exit code, or the signal it died of', async () => {
  assert.deepEqual(await (await start(['sh', '-c', 'exit 7'])).exited, { code: 7, signal: null })
  const program = await start(['sleep', '10'])
  assert.equal(program.kill('SIGUSR1'), true)
  assert.deepEqual(await program.exited, { code: null, signal: 'SIGUSR1' })
  assert.equal(program.kill('SIGTERM'), false)
})

test('the program is in our process group and session', async () => {
  const group = (pid: number | 'self') => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ').slice(2, 4)
  const program = await start(['sleep', '10'])
  assert.deepEqual(group(program.pid), group('self'))
  program.kill('SIGKILL')
  await program.exited
})

test('what cannot be started says so', async () => {
  await assert.rejects(start(['/no/such']), { code: 'PROGRAM_NOT_FOUND', message: 'there is no program /no/such' })
  await assert.rejects(start(['/etc/passwd']), { code: 'PROGRAM_NOT_RUNNABLE', message: '/etc/passwd cannot be started (EACCES)' })
  await assert.rejects(start(['true', 'x'.repeat(200_000)]), { code: 'PROGRAM_NOT_RUNNABLE', message: /E2BIG/, hint: 'arguments and environment are too long' })
})

test("the program's environment is ours without nbtrun's options, with what it is told and what was asked for", () => {
  const own = { A: '1', 'BASH_FUNC_f%%': '() { :; }', empty: '', NBTRUN_OPT_USER: 'alice', NBTRUN_MOUNT: '/outer', NBTRUN_RUN_ID: 'outer' }
  const told = { runId: '7f3a', mount: '/mnt', share: '//srv/app' }
  assert.deepEqual(programEnvironment(own, told, { A: '2', B: '' }), {
    A: '2',
    B: '',
    'BASH_FUNC_f%%': '() { :; }',
    empty: '',
    NBTRUN_MOUNT: '/mnt',
    NBTRUN_SHARE: '//srv/app',
    NBTRUN_RUN_ID: '7f3a',
  })
  assert.equal('NBTRUN_MOUNT' in programEnvironment(own, { runId: '7f3a', share: '//srv/app' }, {}), false)
})

test('the three words expand wherever they stand, and nothing else does', () => {
  const values = { mount: '/mnt/$&', share: '//srv/app' }
  assert.equal(expand('--data={mount}/x:{share}{mount}', values), '--data=/mnt/$&/x://srv/app/mnt/$&')
  assert.equal(expand('{Mount} {} {other} {{x}} %7B', values), '{Mount} {} {other} {{x}} %7B')
  assert.throws(() => expand('{drive}\\x', values), { code: 'USAGE', message: '{drive} in {drive}\\x has no value with this mapping' })
})
