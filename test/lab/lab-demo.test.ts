import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demo, type StandIn } from './demo.ts'
import { missing } from './index.ts'

// smbclient holds a session while a local program runs, as nbtrun does with --mapping none
const HOLD = `
  pipes=$(mktemp -d) && mkfifo "$pipes/in" "$pipes/out"
  stdbuf -oL smbclient -p "$1" -A "$2" "$3" <"$pipes/in" >"$pipes/out" &
  exec 4>"$pipes/in" 5<"$pipes/out"
  rm -r "$pipes"
  read -r connected <&5
  sh "$4" 4>&- 5<&-
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

test('a run without a session while the program waits is a failed demo', { skip: missing('lab') }, async () => {
  const lines: string[] = []
  assert.equal(await demo(line => lines.push(line), { standIn: ({ program }) => ['sh', program, 'without a share'], plain: true }), false)
  assert.equal(lines.at(-1), '\nThe counts are not 0, 1, 0.')
})
