import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { demo, type StandIn } from './demo.ts'
import { missing } from './index.ts'
import { isAlive, type Process, processOf } from './processes.ts'

// smbclient holds a session while a local program runs, as nbtrun does with --mapping none
const HOLD = `
  pipes=$(mktemp -d) && mkfifo "$pipes/in" "$pipes/out"
  stdbuf -oL smbclient -p "$1" -A "$2" "$3" <"$pipes/in" >"$pipes/out" &
  exec 4>"$pipes/in" 5<"$pipes/out"
  rm -r "$pipes"
  read -r connected <&5
  sh "$4" 4>&- 5<&-
  echo logoff >&4
  exec 4>&-
  wait`

const smbclient =
  (host: string): StandIn =>
  ({ authFile, program, port }) => ['sh', '-euc', HOLD, 'hold', String(port), authFile, `//${host}/app`, program]

for (const [where, host, plain] of [
  ['on a network of its own', 'srv', false],
  ['on a high port of the loopback', '127.0.0.1', true],
] as const) {
  test(`the demo counts no session, one, and none ${where}`, { skip: missing('lab') }, async () => {
    const lines: string[] = []
    const good = await demo(line => lines.push(line), { standIn: smbclient(host), plain })
    assert.ok(good, lines.join('\n'))
    assert.deepEqual(
      lines.flatMap(line => /^Sessions the server counts (.*?)(?: \(|$)/.exec(line)?.[1] ?? []),
      ['before: 0', 'during: 1', 'after: 0'],
    )
    assert.ok(lines.some(line => /app: I am .*app, and my share holds:/.test(line)))
  })
}

const OWNER = `
  import { startPlainServer } from ${JSON.stringify(join(import.meta.dirname, 'plain.ts'))}
  const { server } = await startPlainServer()
  console.log(JSON.stringify([server.host.keeper, server.host.folder]))
  setInterval(() => {}, 1000)
`

test('the demo’s Samba on the loopback goes with its owner, also when that is killed', { skip: missing('lab') }, async () => {
  const owner = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', OWNER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(owner.stdout, 'data')) as [Buffer]
  const [smbd, folder] = JSON.parse(line.toString()) as [Process, string]
  const group = membersOf(smbd.pid)
  assert.ok(group.length > 1 && existsSync(folder), `${group.length} processes`)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const dueAt = performance.now() + 60_000
  while (group.some(isAlive) && performance.now() < dueAt) await pause(5)
  assert.deepEqual([group.filter(isAlive), existsSync(folder)], [[], false])
})

/** Every living process of a process group. proc(5), stat field 5. */
function membersOf(group: number): Process[] {
  const inGroup = (pid: number): boolean => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return stat.replace(/^.*\) /, '').split(' ')[2] === String(group)
    } catch {
      return false // it has gone
    }
  }
  return readdirSync('/proc').flatMap(entry => (/^\d+$/.test(entry) && inGroup(Number(entry)) ? (processOf(Number(entry)) ?? []) : []))
}

test('a run without a session while the program waits is a failed demo', { skip: missing('lab') }, async () => {
  const lines: string[] = []
  assert.equal(await demo(line => lines.push(line), { standIn: ({ program }) => ['sh', program, 'without a share'], plain: true }), false)
  assert.equal(lines.at(-1), '\nThe counts are not 0, 1, 0.')
})
