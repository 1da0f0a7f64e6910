import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Lab, missing } from './index.ts'
import { noMapping, nothingLeft } from './nbtrun.ts'
import { judged, only, startSealingLab, worked } from './sealing.ts'

const CIPHERS = ['AES-128-GCM', 'AES-256-GCM', 'AES-128-CCM', 'AES-256-CCM'] as const

describe('SMB, encrypted', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startSealingLab()
  })
  after(() => lab?.dispose())

  for (const dialect of ['3.0', '3.0.2'] as const) {
    test(`${dialect}, --encrypt: AES-128-CCM`, async () => {
      assert.deepEqual(await worked(lab, [...only(dialect), '--encrypt']), [dialect, 'AES-CMAC', 'AES-128-CCM'])
    })
  }
  for (const cipher of CIPHERS) {
    test(`3.1.1, --encrypt --ciphers ${cipher}`, async () => {
      assert.deepEqual(await worked(lab, ['--encrypt', '--ciphers', cipher]), ['3.1.1', 'AES-GMAC', cipher])
    })
  }

  test('a server that demands encryption gets it, the share and IPC$', async () => {
    for (const [dialect, cipher] of [
      ['3.0.2', 'AES-128-CCM'],
      ['3.1.1', 'AES-128-GCM'],
    ] as const) {
      assert.deepEqual((await worked(lab, only(dialect), '//srv2/files')).slice(0, 3), [dialect, dialect === '3.1.1' ? 'AES-GMAC' : 'AES-CMAC', cipher])
    }
  })

  test('a share that demands encryption gets it; its neighbour on the same session does not', async () => {
    for (const [dialect, cipher] of [
      ['3.0', 'AES-128-CCM'],
      ['3.1.1', 'AES-128-GCM'],
    ] as const) {
      const [, , sealed, , , plain] = await worked(lab, [...only(dialect), '--share', '//srv/app'], '//srv/sealed')
      assert.deepEqual([sealed, plain], [cipher, null])
    }
  })

  const seen: Record<string, readonly string[]> = {
    'SMB 3.0.2 with AES-128-CCM': [...only('3.0.2'), '--encrypt'],
    'SMB 3.1.1 with AES-128-CCM': ['--encrypt', '--ciphers', 'AES-128-CCM'],
    'SMB 3.1.1 with AES-256-GCM': ['--encrypt', '--ciphers', 'AES-256-GCM'],
  }
  for (const [what, options] of Object.entries(seen)) {
    test(`${what} on the wire: nothing malformed, TREE_DISCONNECT twice, LOGOFF, FIN`, { skip: missing('capture') }, () => judged(lab, options))
  }

  const refusals: Record<string, [share: string, options: readonly string[], says: RegExp]> = {
    'a server that encrypts everything, and SMB 2.1': [
      '//srv2/files',
      only('2.1'),
      /logging in as LAB\/alice on srv2: server said STATUS_ACCESS_DENIED: it may encrypt every session, which SMB 2\.1 here cannot; allow SMB 3\.0 or newer .*\[ENCRYPTION_REQUIRED\]/,
    ],
    'a share that must be encrypted, and SMB 2.0.2': [
      '//srv/sealed',
      only('2.0.2'),
      /connecting to \/\/srv\/sealed: server said STATUS_ACCESS_DENIED; .*or it must be encrypted, which SMB 2\.0\.2 here cannot \[ACCESS_DENIED\]/,
    ],
    '--encrypt, and SMB 2.1': ['//srv/app', [...only('2.1'), '--encrypt'], /srv cannot encrypt with SMB 2\.1; leave out --encrypt, .*\[ENCRYPTION_REFUSED\]/],
    '--encrypt, and a cipher that SMB 3.0 does not have': [
      '//srv/app',
      [...only('3.0'), '--encrypt', '--ciphers', 'AES-256-GCM'],
      /srv cannot encrypt with SMB 3\.0; .*\[ENCRYPTION_REFUSED\]/,
    ],
    '--encrypt, and nobody': [
      '//srv/app',
      ['--encrypt', '--anonymous'],
      /the session of nobody on srv cannot be encrypted; log in with --user.*\[ENCRYPTION_REFUSED\]/,
    ],
  }
  for (const [what, [share, options, says]] of Object.entries(refusals)) {
    test(`${what}: one line, and nothing is left`, async () => {
      const login = options.includes('--anonymous') ? [] : ['--auth-file', lab.authFile()]
      const { code, stderr } = await lab.run('client1', ['nbtrun', '--share', share, ...login, ...options, '--', 'true'])
      assert.match(stderr, new RegExp(`^nbtrun: ${says.source}\\n$`))
      assert.equal(code, 125)
      await nothingLeft(lab)
    })
  }
})
