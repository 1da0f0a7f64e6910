// The server's cable is pulled while a program reads and writes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLab } from '../lab/index.ts'
import { noMapping, nothingLeftButSessions, script, words } from '../lab/nbtrun.ts'

test('a cut link: the program gets errors within --io-timeout, the teardown keeps its budget, nothing is left here', {
  skip: noMapping,
  timeout: 120_000,
}, async () => {
  await using lab = await startLab({ servers: { srv: {}, srv2: {} } })
  script(lab, 'works', 'exec 8>>"$NBTRUN_MOUNT/log"; echo ready; while echo line >&8; do sleep 0.05; done 2>/dev/null; echo failed; exit 11')
  const limits = ['--io-timeout', '3s', '--teardown-timeout', '2s']
  const run = lab.spawn('client1', words(lab, ['{mount}/works'], { options: limits }))
  const said = (run.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  assert.match(String((await said.next()).value), /ready/)
  lab.link('srv', 'down')
  const cut = performance.now()
  assert.match(String((await said.next()).value), /failed/)
  assert.ok(performance.now() - cut < 12_000, 'an error after the limit')
  const { exitCode, stderr } = await run
  assert.equal(exitCode, 11)
  assert.match(String(stderr), /^nbtrun: the connection to srv is lost: srv has been silent for [^\n]* \[CONNECTION_LOST\]\n$/)
  assert.ok(performance.now() - cut < 19_000, 'the teardown kept its budget') // not the 20 s of a limit that nobody set
  await nothingLeftButSessions(lab, { reachable: false })
})

test('kill -9 of a program that waits for a silent server works at once', { skip: noMapping, timeout: 120_000 }, async () => {
  await using lab = await startLab({ servers: { srv: {}, srv2: {} } })
  script(lab, 'reads', 'echo "ready $$"; read -r line; exec cat "$NBTRUN_MOUNT/reads"')
  const run = lab.spawn('client1', words(lab, ['{mount}/reads'], { options: ['--io-timeout', '8s', '--teardown-timeout', '1s'] }), { stdin: 'pipe' })
  const [, pid] = /ready (\d+)/.exec(String((await (run.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]().next()).value)) ?? []
  lab.link('srv', 'down')
  run.stdin?.write('go\n')
  await new Promise(resolve => setTimeout(resolve, 300)) // it is in the kernel by now
  const killed = performance.now()
  process.kill(Number(pid), 'SIGKILL')
  while (lab.processes('client1').includes(Number(pid))) await new Promise(resolve => setTimeout(resolve, 5))
  assert.ok(performance.now() - killed < 5000, `${performance.now() - killed} ms`)
  assert.equal((await run).exitCode, 137) // after the server's time to acknowledge the close of what was open
  assert.ok(performance.now() - killed < 25_000, `${performance.now() - killed} ms`)
  await nothingLeftButSessions(lab, { reachable: false })
})
