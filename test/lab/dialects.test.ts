import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Lab, startLab } from './index.ts'
import { nbtrun, nbtrunReceipt, noMapping, nothingLeft } from './nbtrun.ts'

const SIGNED = { '2.0.2': 'HMAC-SHA256', '2.1': 'HMAC-SHA256', '3.0': 'AES-CMAC', '3.0.2': 'AES-CMAC', '3.1.1': 'AES-GMAC' } as const
type Dialect = keyof typeof SIGNED
const DIALECTS = Object.keys(SIGNED) as Dialect[]
const CIPHERS = ['AES-128-GCM', 'AES-256-GCM', 'AES-128-CCM', 'AES-256-CCM'] as const

/** Writes 3 MB, which is more than any request moves, reads them back, and lists. */
const WORK = ['sh', '-c', 'cd "$NBTRUN_MOUNT" && head -c 3000001 /dev/urandom >f && cp f g && cmp f g && ls && rm f g']
const at = (dialect: Dialect): string[] => ['--min-dialect', dialect, '--max-dialect', dialect]

describe('SMB of every age, signed and encrypted', { skip: noMapping, timeout: 120_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({
      servers: { srv: { shares: { sealed: ['read only = no', 'smb encrypt = required'] } }, srv2: { global: ['server smb encrypt = required'] } },
    })
  })
  after(() => lab?.dispose())

  /** A whole run; what its receipt says of the wire, share by share. */
  async function worked(options: readonly string[], share = '//srv/app'): Promise<(string | null)[]> {
    const { code, stdout, stderr, receipt } = await nbtrunReceipt(lab, WORK, { share, options })
    assert.deepEqual([code, stderr], [0, ''])
    assert.deepEqual(stdout.match(/^[fg]$/gm), ['f', 'g'])
    assert.equal(receipt.end, 'acknowledged')
    await nothingLeft(lab)
    return receipt.shares.flatMap(({ dialect, signing, encryption }) => [dialect, signing, encryption])
  }

  for (const dialect of DIALECTS) {
    test(`${dialect}: signed with ${SIGNED[dialect]}`, async () => {
      assert.deepEqual(await worked(at(dialect)), [dialect, SIGNED[dialect], null])
    })
  }
  for (const algorithm of ['AES-CMAC', 'HMAC-SHA256'] as const) {
    test(`3.1.1: signed with ${algorithm} where nothing else is offered`, async () => {
      assert.deepEqual(await worked(['--signing-algorithms', algorithm]), ['3.1.1', algorithm, null])
    })
  }
  test('the best that both have is taken: 3.1.1 and AES-GMAC', async () => {
    assert.deepEqual(await worked([]), ['3.1.1', 'AES-GMAC', null])
  })

  for (const dialect of ['3.0', '3.0.2'] as const) {
    test(`${dialect}, --encrypt: AES-128-CCM`, async () => {
      assert.deepEqual(await worked([...at(dialect), '--encrypt']), [dialect, 'AES-CMAC', 'AES-128-CCM'])
    })
  }
  for (const cipher of CIPHERS) {
    test(`3.1.1, --encrypt --ciphers ${cipher}`, async () => {
      assert.deepEqual(await worked(['--encrypt', '--ciphers', cipher]), ['3.1.1', 'AES-GMAC', cipher])
    })
  }

  test('a server that demands encryption gets it, the share and IPC$', async () => {
    for (const [dialect, cipher] of [
      ['3.0.2', 'AES-128-CCM'],
      ['3.1.1', 'AES-128-GCM'],
    ] as const) {
      assert.deepEqual((await worked(at(dialect), '//srv2/files')).slice(0, 3), [dialect, dialect === '3.1.1' ? 'AES-GMAC' : 'AES-CMAC', cipher])
    }
  })

  test('a share that demands encryption gets it; its neighbour on the same session does not', async () => {
    for (const [dialect, cipher] of [
      ['3.0', 'AES-128-CCM'],
      ['3.1.1', 'AES-128-GCM'],
    ] as const) {
      const [, , sealed, , , plain] = await worked([...at(dialect), '--share', '//srv/app'], '//srv/sealed')
      assert.deepEqual([sealed, plain], [cipher, null])
    }
  })

  test('-v says that it is encrypted', async () => {
    for (const [options, says] of [
      [['--encrypt'], '(SMB 3.1.1, encrypted)'],
      [at('2.1'), '(SMB 2.1, signed)'],
    ] as const) {
      const { stderr } = await nbtrun(lab, ['true'], { options: [...options, '-v'] })
      assert.ok(stderr.includes(says), stderr)
    }
    await nothingLeft(lab)
  })

  const refusals: Record<string, [share: string, options: readonly string[], says: RegExp]> = {
    'a server that encrypts everything, and SMB 2.1': [
      '//srv2/files',
      at('2.1'),
      /logging in as LAB\/alice on srv2: server said STATUS_ACCESS_DENIED: it may encrypt every session, which SMB 2\.1 here cannot; allow SMB 3\.0 or newer .*\[ENCRYPTION_REQUIRED\]/,
    ],
    'a share that must be encrypted, and SMB 2.0.2': [
      '//srv/sealed',
      at('2.0.2'),
      /connecting to \/\/srv\/sealed: server said STATUS_ACCESS_DENIED; .*or it must be encrypted, which SMB 2\.0\.2 here cannot \[ACCESS_DENIED\]/,
    ],
    '--encrypt, and SMB 2.1': ['//srv/app', [...at('2.1'), '--encrypt'], /srv cannot encrypt with SMB 2\.1; leave out --encrypt, .*\[ENCRYPTION_REFUSED\]/],
    '--encrypt, and a cipher that SMB 3.0 does not have': [
      '//srv/app',
      [...at('3.0'), '--encrypt', '--ciphers', 'AES-256-GCM'],
      /srv cannot encrypt with SMB 3\.0; .*\[ENCRYPTION_REFUSED\]/,
    ],
    '--encrypt, and nobody': [
      '//srv/app',
      ['--encrypt', '--anonymous'],
      /the session of nobody on srv cannot be encrypted; log in with --user.*\[ENCRYPTION_REFUSED\]/,
    ],
    '--signing required, and nobody': [
      '//srv/app',
      ['--signing', 'required', '--anonymous'],
      /the session of nobody on srv cannot be signed; log in with --user.*\[SIGNING_REFUSED\]/,
    ],
    SMB1: ['//srv/app', ['--min-dialect', 'NT1'], /--min-dialect asks for SMB1 \(NT1\), which this version cannot speak yet; the oldest is 2\.0\.2 \[USAGE\]/],
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
