import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'

const report = fileURLToPath(new URL('../../../src/cli/report.ts', import.meta.url))
const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const errors = fileURLToPath(new URL('../../../src/base/errors.ts', import.meta.url))

function child(code: string, shell = ''): { status: number | null; signal: string | null; stderr: string } {
  const words = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', code]
  return shell === ''
    ? spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8' })
    : spawnSync('sh', ['-c', `${shell} "$@"`, 'sh', ...words], { encoding: 'utf8' })
}

test('a run that was cancelled by a signal ends with 128 and its number', () => {
  const code = (facts: string): string => `
    import { report } from ${JSON.stringify(report)}
    import { NbtrunError } from ${JSON.stringify(errors)}
    process.exit(report(new NbtrunError('CANCELLED', 'cancelled', { facts: ${facts} }), 0))`
  assert.deepEqual(
    { ...child(code("{ signal: 'SIGTERM' }")), output: null, pid: 0 },
    { status: 143, signal: null, stderr: 'nbtrun: cancelled [CANCELLED]\n', stdout: '', output: null, pid: 0 },
  )
  assert.equal(child(code("{ signal: 'SIGINT' }")).status, 130)
  assert.equal(child(code("{ signal: 'NONSENSE' }")).status, 125)
  assert.equal(child(code('{}')).status, 125)
})

test('what is not ours is a defect, on one line', () => {
  const { status, stderr } = child(`import { report } from ${JSON.stringify(report)}\nprocess.exit(report(new TypeError('x is\\nnot a function'), 0))`)
  assert.deepEqual([status, stderr], [125, 'nbtrun: x is; this is a defect in nbtrun [INTERNAL]\n'])
})

test('nbtrun dies of the signal its program died of; as process 1, which does not die so, it ends with the code', t => {
  const code = `import { end } from ${JSON.stringify(main)}\nprocess.on('SIGHUP', () => {})\nprocess.on('SIGTERM', () => {})\nend({ exit: 129, dieOf: 'SIGHUP' })`
  assert.equal(child(code).signal, 'SIGHUP')
  assert.equal(child(code.replaceAll('SIGHUP', 'SIGINT')).signal, 'SIGINT')
  if (spawnSync('unshare', ['--pid', '--fork', 'true']).status !== 0) return t.skip('unshare --pid is refused here')
  assert.deepEqual([child(code, 'exec unshare --pid --fork').status, child(code, 'exec unshare --pid --fork').signal], [129, null])
})
