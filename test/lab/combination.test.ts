import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { cell, WHO, wayOf, WIRES } from './cell.ts'
import { saidGoodbye } from './goodbye.ts'
import { judge, type Lab, missing, useLab } from './index.ts'
import { nbtrunReceipt, noMapping, nothingLeft, sameAsCell, words } from './nbtrun.ts'

/** As smbstatus spells them. */
const DIALECTS: Record<string, string> = { '3.1.1': 'SMB3_11', '3.0.2': 'SMB3_02', '2.1': 'SMB2_10', '2.0.2': 'SMB2_02', NT1: 'NT1' }
const SIGNINGS: Record<string, string> = { 'AES-GMAC': 'AES-128-GMAC', 'AES-CMAC': 'AES-128-CMAC', 'HMAC-SHA256': 'HMAC-SHA256', MD5: 'HMAC-MD5' }

const SMALL = ['/bin/sh', '-c', 'cd "$NBTRUN_MOUNT" && echo written >f && cat f && ls && rm f']
/** Writes 3 MB, which is more than any request moves, reads them back, and waits. Not for a recording: a full TCP window is a warning to tshark. */
const LARGE = ['/bin/sh', '-c', 'cd "$NBTRUN_MOUNT" && head -c 3000001 /dev/urandom >f && cp f g && cmp f g && rm f g && echo ready && read -r line']

for (const user of WHO) {
  describe(`${wayOf(user)} × ${cell.wire}`, { skip: noMapping || missing('capture') }, () => {
    const { dialect, signing, encryption } = WIRES[cell.wire]
    let lab: Lab
    before(async () => {
      lab = await useLab()
    })

    test('is what the receipt names; the teardown is acknowledged, and tshark sees it', async () => {
      const capture = await lab.capture('client1')
      const { code, stderr, receipt } = await nbtrunReceipt(lab, SMALL, { user })
      const judgement = await judge(await capture.stop(), { password: lab.password(user === 'root' ? 'alice' : user) })
      assert.deepEqual([code, stderr, receipt.end], [0, '', 'acknowledged'])
      sameAsCell(receipt, { user })
      saidGoodbye(judgement)
      await nothingLeft(lab)
    })

    test('is what the server counts', async () => {
      const run = lab.spawn('client1', words(lab, LARGE, { as: user === 'root' ? 'alice' : user }), { user })
      for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
      const sessions = await lab.server().sessions()
      run.stdin?.end('\n')
      assert.equal((await run).exitCode, 0)
      const [session] = sessions
      assert.deepEqual([sessions.length, session?.dialect, session?.encryption], [1, DIALECTS[dialect], encryption ?? '-'])
      if (encryption === null) assert.equal(session?.signing, signing === null ? '-' : SIGNINGS[signing])
      await nothingLeft(lab)
    })
  })
}
