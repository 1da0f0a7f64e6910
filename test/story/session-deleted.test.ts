// A server that ends the session and keeps the connection: Samba returns the signature of the request in its answer then, which is wrong there.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Session } from '../../src/smb/smb2/session.ts'
import { empty } from '../../src/smb/smb2/tree-connect.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { lasting } from './lasting.ts'
import { proxy } from './proxy.ts'
import { nothingLeft } from './story.ts'

describe('a server that ended the session', { skip: noLab, timeout: 800_000 }, () => {
  for (const dialect of ['2.1', '3.0', '3.1.1'] as const)
    for (const requireEncryption of dialect === '2.1' ? [false] : [false, true])
      test(`SMB ${dialect}${requireEncryption ? ', encrypted' : ''}: it is set up anew at the next request, and given back in the end`, async () => {
        const lab = await useLab()
        {
          await using between = await proxy({ host: lab.server().address, port: 445 }, {})
          const { lifeline, files, told, close } = await lasting(lab, between.port, { minDialect: dialect, maxDialect: dialect, requireEncryption })
          const { header } = await (lifeline.session as Session).farewellRequest({ command: 'LOGOFF', codec: empty, body: null })
          assert.equal(header.status, STATUS.SUCCESS)
          await files.stat('')
          assert.deepEqual([told, lifeline.reconnects, between.taken], [['reconnected'], 1, 2])
          const steps = await close()
          assert.deepEqual(
            steps.map(({ ok, status }) => (ok ? (status ?? 'ok') : 'failed')),
            ['STATUS_SUCCESS', 'STATUS_SUCCESS', 'STATUS_SUCCESS', 'ok'],
          )
        }
        await nothingLeft(lab)
      })
})
