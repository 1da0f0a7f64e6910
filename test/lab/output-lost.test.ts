// Whoever reads --events and --receipt may go away, fall asleep or have no room: the run neither waits for that nor fails of it.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Receipt } from '../../src/run/receipt.ts'
import { type Lab, startLab } from './index.ts'
import { here, nbtrun, noMapping, nothingLeft, words } from './nbtrun.ts'
import { typesOf } from './schemas.ts'

describe('output that cannot be written', { skip: noMapping, timeout: 600_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab()
  })
  after(async () => {
    await nothingLeft(lab)
    lab.dispose()
  })

  /** A run beside a reader of the pipe `$1`; what the shell says comes last. */
  async function piped(
    name: string,
    reader: string,
    options: readonly string[],
    program: readonly string[],
  ): Promise<{ code: number | undefined; lines: string[] }> {
    const pipe = here(lab, name)
    const script = `mkfifo "$1" || exit; pipe=$1; shift; ${reader}`
    const { code, stderr } = await lab.run('client1', ['/bin/sh', '-c', script, 'sh', pipe, ...words(lab, program, { options })], { timeout: 200_000 })
    return { code, lines: stderr.trim().split('\n') }
  }
  /** 64 KiB of a pipe that has a reader, which reads nothing before `nbtrun` has ended. */
  const FULL = 'sleep 1000 <"$pipe" >/dev/null 2>&1 & reader=$!; exec 9>"$pipe"; dd if=/dev/zero of="$pipe" oflag=nonblock bs=4096 2>/dev/null'
  const DONE = '; code=$?; kill $reader; exit $code'
  const LINE = (why: string): RegExp =>
    new RegExp(`^nbtrun: cannot write events to [^\\n]* \\(${why}\\); the run itself goes on as it would \\[OUTPUT_LOST\\]$`)

  test('a reader of the events that leaves takes nothing from the program and its background writer', async () => {
    const program = ['/bin/sh', '-c', '(sleep 2; echo late >"$NBTRUN_MOUNT/late") & exit 3']
    const pipe = here(lab, 'leaves')
    const { code, lines } = await piped('leaves', 'head -n1 "$pipe" >/dev/null & "$@"', ['--events', pipe, '--receipt', here(lab, 'leaves.json')], program)
    assert.equal(code, 3)
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', LINE('nobody reads it any more, EPIPE'))
    assert.equal(readFileSync(join(lab.server().diskPath('app'), 'late'), 'utf8'), 'late\n')
    const receipt = JSON.parse(readFileSync(here(lab, 'leaves.json'), 'utf8')) as Receipt
    assert.equal(receipt.end, 'acknowledged')
    assert.match(receipt.warnings.join(), /cannot write events/)
  })

  for (const [name, target, before] of [
    ['full', (pipe: string) => pipe, ''],
    ['full-fd', () => 'fd:7', 'exec 7>"$pipe"; '],
  ] as const)
    test(`a reader that sleeps is not waited for: ${name}`, async () => {
      const program = ['/bin/sh', '-c', 'ls "$NBTRUN_MOUNT" >/dev/null && exit 4']
      const { code, lines } = await piped(name, `${FULL}; ${before}"$@"${DONE}`, ['--events', target(here(lab, name))], program)
      assert.equal(code, 4)
      assert.equal(lines.length, 1)
      assert.match(lines[0] ?? '', LINE('nobody reads on'))
    })

  test('a reader that is only behind gets every line', async () => {
    const out = here(lab, 'behind.out')
    const reader = `(sleep 2; tr -d '\\0') <"$pipe" >${out} & reader=$!; exec 9>"$pipe"; dd if=/dev/zero of="$pipe" oflag=nonblock bs=4096 2>/dev/null; exec 9>&-`
    const options = ['--events', here(lab, 'behind')]
    const { code, lines } = await piped('behind', `${reader}; "$@"; code=$?; wait $reader; exit $code`, options, ['/bin/sh', '-c', 'sleep 4; exit 5'])
    assert.deepEqual([code, lines], [5, ['']])
    assert.deepEqual(typesOf(readFileSync(out, 'utf8')), ['requested', 'obtained', 'mapped', 'launched', 'quit', 'returned'])
  })

  for (const [option, what] of [
    ['--events', 'events'],
    ['--receipt', 'the receipt'],
  ] as const)
    test(`a full disk under ${option}`, async () => {
      const { code, stderr } = await nbtrun(lab, ['/bin/sh', '-c', 'exit 3'], { options: [option, '/dev/full', '-q'] })
      const line = `nbtrun: cannot write ${what} to /dev/full (the disk is full, ENOSPC); the run itself goes on as it would [OUTPUT_LOST]\n`
      assert.deepEqual([code, stderr], [3, line])
    })

  test('a descriptor of a file goes on where it was', async () => {
    const file = here(lab, 'appended')
    writeFileSync(file, 'before\n')
    const run = words(lab, ['/bin/true'], { options: ['--receipt', 'fd:7'] })
    const { code } = await lab.run('client1', ['/bin/sh', '-c', `exec 7>>${file}; "$@"`, 'sh', ...run])
    assert.equal(code, 0)
    assert.match(readFileSync(file, 'utf8'), /^before\n\{"receipt":1.*\}\n$/)
  })

  test('what can never be written to costs nothing', async () => {
    const pipe = here(lab, 'unread')
    const unread = await piped('unread', '"$@"', ['--events', pipe], ['/bin/true'])
    assert.deepEqual(unread, { code: 125, lines: [`nbtrun: cannot write events to ${pipe}; nobody reads that pipe: start its reader first [USAGE]`] })
    const closed = await nbtrun(lab, ['/bin/true'], { options: ['--receipt', 'fd:33'] })
    const line = 'nbtrun: cannot write the receipt to descriptor 33; open it for nbtrun, as with 7>file [USAGE]\n'
    assert.deepEqual([closed.code, closed.stderr], [125, line])
    assert.ok(existsSync(pipe))
  })
})
