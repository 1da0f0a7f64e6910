// A random password, and where it may not be found.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { startLab } from './index.ts'
import { journalOf, said, until } from './journal.ts'
import { here, noMapping, words } from './nbtrun.ts'
import { filesBelow, formsOf, foundIn, memoryOf } from './secrets.ts'

describe('the password', { skip: noMapping, timeout: 800_000 }, () => {
  for (const more of [[], ['--no-reconnect']])
    test(`is in no journal, receipt, event, process list or environment, nor in memory after the login${more.join('')}`, async () => {
      await using lab = await startLab()
      const forms = formsOf(lab.password())
      assert.deepEqual(foundIn(Buffer.from(lab.password()), forms), ['UTF-8'], 'the test finds what is there')
      const [receipt, events] = [here(lab, 'receipt.json'), here(lab, 'events.json')]
      const program = ['/bin/sh', '-c', 'echo "ready $$"; read -r line']
      const options = ['--receipt', receipt, '--events', events, '--grace', '1m', ...more]
      const run = lab.spawn('client1', words(lab, program, { options }), { stdin: 'pipe' })
      const [, pid] = /ready (\d+)/.exec(await said(run)) ?? []
      const look = (what: string, bytes: Buffer): void => {
        assert.ok(bytes.length > 0, `${what} is there to be searched`)
        assert.deepEqual(foundIn(bytes, forms), [], what)
      }
      look('the journal', filesBelow(journalOf(lab)))
      look('the events', readFileSync(events))
      const processes = lab.processes('client1')
      assert.ok(processes.includes(run.pid!) && processes.includes(Number(pid)))
      for (const each of processes)
        for (const what of ['cmdline', 'environ']) {
          const bytes = ofProcess(each, what)
          if (bytes.length > 0 || each === run.pid || each === Number(pid)) look(`${what} of ${each}`, bytes) // others come and go
        }
      const memory = memoryOf(run.pid!)
      assert.ok(memory.includes(Buffer.from(lab.authFile())), 'its memory was read')
      look('its memory after the login', memory)
      run.stdin?.end('\n')
      await until('the grace', () => readFileSync(events, 'utf8').includes('"grace"'), 20_000)
      look('its memory in the grace', memoryOf(run.pid!))
      process.kill(run.pid!, 'SIGINT')
      process.kill(run.pid!, 'SIGTERM')
      assert.equal((await run).exitCode, 0)
      look('the receipt', readFileSync(receipt))
      look('the events', readFileSync(events))
    })
})

/** Empty where the process has gone. */
function ofProcess(pid: number, what: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${what}`)
  } catch {
    return Buffer.alloc(0)
  }
}
