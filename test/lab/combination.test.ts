import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { cell, WHO, wayOf, WIRES } from './cell.ts'
import { type Lab, useLab } from './index.ts'
import { nbtrunReceipt, noMapping, nothingLeft, sameAsCell, words } from './nbtrun.ts'

/** As smbstatus spells them. */
const DIALECTS: Record<string, string> = { '3.1.1': 'SMB3_11', '3.0.2': 'SMB3_02', '2.1': 'SMB2_10', '2.0.2': 'SMB2_02' }
const SIGNINGS: Record<string, string> = { 'AES-GMAC': 'AES-128-GMAC', 'AES-CMAC': 'AES-128-CMAC', 'HMAC-SHA256': 'HMAC-SHA256' }

for (const user of WHO) {
  describe(`${wayOf(user)} × ${cell.wire}`, { skip: noMapping }, () => {
    const { dialect, signing, encryption } = WIRES[cell.wire]
    let lab: Lab
    before(async () => {
      lab = await useLab()
    })

    test('is what the receipt names, and every step of the teardown was answered', async () => {
      const { code, stderr, receipt } = await nbtrunReceipt(lab, ['/bin/sh', '-c', 'echo x > "$NBTRUN_MOUNT/x"; cat "$NBTRUN_MOUNT/x"'], { user })
      assert.deepEqual([code, stderr, receipt.end], [0, '', 'acknowledged'])
      sameAsCell(receipt, { user })
      const goodbye = receipt.steps.filter(({ phase, name }) => phase === 'teardown' && /TREE_DISCONNECT|LOGOFF|FIN/.test(name))
      assert.ok(goodbye.length >= 4 && goodbye.every(({ ok }) => ok), JSON.stringify(goodbye))
      await nothingLeft(lab)
    })

    test('is what the server counts', async () => {
      const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { as: user === 'root' ? 'alice' : user }), { user })
      for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
      const sessions = await lab.server().sessions()
      run.stdin?.end('\n')
      assert.equal((await run).exitCode, 0)
      const [session] = sessions
      assert.deepEqual([sessions.length, session?.dialect], [1, DIALECTS[dialect]])
      assert.equal(session?.encryption, encryption ?? '-')
      if (encryption === null) assert.equal(session?.signing, SIGNINGS[signing])
      await nothingLeft(lab)
    })
  })
}
