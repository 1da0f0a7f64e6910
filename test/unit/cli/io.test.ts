import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const file = (path: string): string => JSON.stringify(fileURLToPath(new URL(`../../../src/${path}`, import.meta.url)))

/** What stderr gets of some events, with some options. */
function told(words: readonly string[], events: readonly object[]): string {
  const code = `
    import { stderrIo } from ${file('cli/io.ts')}
    import { resolve } from ${file('profile/settings.ts')}
    import { parse } from ${file('profile/words.ts')}
    const io = stderrIo(resolve(parse(${JSON.stringify(['--share', '//h/x', ...words])}), {}, '/'), {}, '/')
    for (const event of ${JSON.stringify(events)}) io.tell(event)
    await new Promise(resolve => setTimeout(resolve, 20))`
  return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { encoding: 'utf8' }).stderr
}

const good = [
  { type: 'progress', doing: 'connecting to h', worthSayingAfterMs: 0 },
  {
    type: 'launched',
    pid: 1,
    program: 'app',
    shares: [{ label: '//h/x', point: '/m', mapping: 'private', way: 'b2', dialect: '3.1.1', signed: true, encrypted: false }],
  },
  { type: 'unused', program: 'app', exit: 0, signal: null, graceMs: 0 },
  { type: 'returned', ms: 4, what: ['mapping', 'x'], end: 'acknowledged' },
]
const notGivenBack = { type: 'not-given-back', error: { line: 'LOGOFF h failed: no answer', code: 'TEARDOWN_FAILED' } }
const lost = { type: 'lost', server: 'h', error: { message: 'reset by peer', code: 'CONNECTION_LOST' } }
const warning = { type: 'warning', message: 'slow', hint: 'wait' }

test('a run that goes well is silent', () => {
  assert.equal(told([], good), '')
})

test('with -v it says where the share is, how the program ended and what was given back', () => {
  assert.equal(
    told(['-v'], good),
    'nbtrun: //h/x is at /m, for app alone (SMB 3.1.1, signed, way b2)\nnbtrun: app is gone, exit code 0\nnbtrun: given back in 4 ms: mapping, x (acknowledged)\n',
  )
})

test('a failed teardown and a lost connection are always said, a warning unless -q', () => {
  const errors = 'nbtrun: LOGOFF h failed: no answer [TEARDOWN_FAILED]\nnbtrun: the connection to h is lost: reset by peer [CONNECTION_LOST]\n'
  assert.equal(told([], [notGivenBack, lost, warning]), `${errors}nbtrun: slow; wait\n`)
  assert.equal(told(['-q'], [notGivenBack, lost, warning]), errors)
})
