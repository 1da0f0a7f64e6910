// A core of nbtrun taken when everything was given back, while it writes the receipt: no password, no hash of it, and no key of any kind.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Lab, startLab } from './index.ts'
import { said, until } from './journal.ts'
import { here, noMapping, words } from './nbtrun.ts'
import { formsOf, foundIn, keysIn, memoryOf, ntowfv2, untilRefused } from './secrets.ts'

describe('after the teardown neither the password nor a key is in memory', { skip: noMapping, timeout: 280_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { global: ['debug encryption = yes'] } } })
  })
  after(() => lab?.dispose())

  for (const [what, key, options] of [
    ['signed by AES-GMAC', 'Signing Key', []],
    ['signed by AES-CMAC', 'Signing Key', ['--max-dialect', '3.0.2']],
    ['encrypted', 'ServerIn Key', ['--encrypt']],
  ] as const)
    test(what, async () => {
      const [receipt, events] = [here(lab, `${what}.receipt`), here(lab, `${what}.events`)]
      // a pipe that is full: nbtrun stands in the write of its receipt until somebody reads
      execFileSync('/usr/bin/mkfifo', ['-m', '666', receipt])
      const pipe = openSync(receipt, constants.O_RDWR | constants.O_NONBLOCK)
      try {
        untilRefused(() => writeSync(pipe, Buffer.alloc(4096)))
        const program = ['/bin/sh', '-c', 'cd "$NBTRUN_MOUNT" && echo something >file && cat file && echo ready && read -r line']
        const all = words(lab, program, { options: ['--receipt', receipt, '--events', events, ...options] })
        const run = lab.spawn('client1', all, { stdin: 'pipe' })
        await said(run)
        const log = readFileSync(join(lab.server().host.folder, 'samba.log'), 'latin1')
        const keys = new Map([...keysIn(log), ['NTOWFv2', ntowfv2(lab.password(), 'alice', 'LAB')]])
        const during = foundIn(memoryOf(run.pid!), keys)
        assert.ok(during.includes(key) && during.includes('NTOWFv2'), `the test finds what is there: ${[...keys.keys()].join()}, ${during.join()}`)
        run.stdin?.end('\n')
        await until('the end of the teardown', () => readFileSync(events, 'utf8').includes('"returned"'), 30_000)
        assert.deepEqual(foundIn(memoryOf(run.pid!), new Map([...formsOf(lab.password()), ...keys])), [])
        untilRefused(() => readSync(pipe, Buffer.alloc(65_536)))
        assert.equal((await run).exitCode, 0)
      } finally {
        closeSync(pipe)
      }
    })
})
