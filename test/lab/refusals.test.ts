import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Credentials } from '../../src/smb/auth/credentials.ts'
import { Secret } from '../../src/smb/auth/secret.ts'
import { spnegoNtlm } from '../../src/smb/auth/spnego.ts'
import { Connection } from '../../src/smb/smb2/connection.ts'
import { Session } from '../../src/smb/smb2/session.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { SECURITY_MODE } from '../../src/smb/smb2/negotiate.ts'
import { STATUS } from '../../src/smb/status.ts'
import { openTransport } from '../../src/smb/transport.ts'
import { Tree } from '../../src/smb/smb2/tree.ts'
import { field, type Meddler, proxy } from '../story/proxy.ts'
import { judge, type Lab, missing, startLab } from './index.ts'
import { noLab, nothingLeft } from './nbtrun.ts'

/** Guests may come to srv, and anybody unknown is one; srv2 speaks SMB1 alone. */
const SERVERS = {
  srv: { global: ['map to guest = Bad User', 'guest account = nobody'], shares: { open: ['guest ok = yes'] } },
  srv2: { global: ['server min protocol = NT1', 'server max protocol = NT1'] },
}

describe('what is not good enough is refused in one line, once, and given back', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: SERVERS })
  })
  after(() => lab?.dispose())

  async function refused(share: string, words: readonly string[], says: RegExp, input = ''): Promise<void> {
    const { code, stderr } = await lab.run('client1', ['nbtrun', '--share', share, ...words, '--', 'true'], { input })
    assert.match(stderr, new RegExp(`^nbtrun: ${says.source}\\n$`))
    assert.equal(code, 125)
    await nothingLeft(lab)
  }

  test('a server that knows guests only', async () => {
    const login = ['--user', 'stranger', '--password-fd', '0']
    await refused('//srv/open', login, /srv let stranger in only as a guest, which cannot be signed; .*--guest takes it as it is \[GUEST_REFUSED\]/, 'any\n')
  })

  test('which --guest takes, and the receipt says so', async () => {
    const words = ['--share', '//srv/open', '--guest', '--mapping', 'none', '--receipt', '-']
    const { code, stderr } = await lab.run('client1', ['nbtrun', ...words, '--', 'true'])
    assert.equal(code, 0)
    assert.match(stderr, /SMB 3\.1\.1, not signed, as guest\n/)
    assert.match(stderr, /: acknowledged\n$/)
    await nothingLeft(lab)
  })

  test('but not together with --signing required or --encrypt', async () => {
    await refused('//srv/open', ['--guest', '--signing', 'required'], /the session of guest on srv cannot be signed; .*\[SIGNING_REFUSED\]/)
    await refused('//srv/open', ['--guest', '--encrypt'], /the session of guest on srv cannot be encrypted; .*\[ENCRYPTION_REFUSED\]/)
  })

  test('a server that speaks SMB1 alone', async () => {
    const login = ['--auth-file', lab.authFile()]
    await refused(
      '//srv2/files',
      login,
      /srv2 speaks SMB1 only, which nbtrun does only when asked to; switch SMB2 or newer on there.*--server nt4 \[SMB1_ONLY\]/,
    )
    await refused('//srv2/files', [...login, '--transport', 'nbt'], /srv2 speaks SMB1 only, .*\[SMB1_ONLY\]/)
    await refused('//srv2/files', [...login, '--max-dialect', '2.0.2'], /srv2 speaks SMB1 only, .*\[SMB1_ONLY\]/)
  })

  test('nobody, where signatures are required', async () => {
    await refused(
      '//srv/app',
      ['--anonymous', '--signing', 'required'],
      /the session of nobody on srv cannot be signed; log in with --user.*\[SIGNING_REFUSED\]/,
    )
  })

  test('a guest, by a server that requires signatures', async () => {
    // Samba lets guests in all the same: what Windows answers is put in its mouth
    const meddler: Meddler = {
      fromServer(frame) {
        if (field.command(frame) === COMMAND.NEGOTIATE) frame.writeUInt16LE(SECURITY_MODE.SIGNING_ENABLED | SECURITY_MODE.SIGNING_REQUIRED, 64 + 2)
        if (field.command(frame) !== COMMAND.TREE_CONNECT) return frame
        frame.writeUInt32LE(STATUS.ACCESS_DENIED, 8)
        return Buffer.concat([frame.subarray(0, 64), Buffer.from('090000000000000000', 'hex')])
      },
    }
    await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
    const host = '127.0.0.1'
    const transport = await openTransport({ host, mode: 'tcp', port: between.port, timeoutMs: 20_000 })
    const connection = await Connection.negotiate(transport, { host, ioTimeoutMs: 20_000 })
    const guest = Credentials.fromPassword({ user: 'guest', domain: '', workstation: '' }, Secret.fromText(''))
    const session = await Session.setup(connection, spnegoNtlm(guest, host), { who: 'guest', allowUnsigned: true })
    await assert.rejects(Tree.connect(session, 'open'), { code: 'SIGNING_REQUIRED', message: /STATUS_ACCESS_DENIED: it requires signed requests/ })
    assert.equal((await connection.close()).how, 'clean')
    await nothingLeft(lab)
  })

  test('SMB1, asked for, where it is not spoken', async () => {
    await refused(
      '//srv/app',
      ['--auth-file', lab.authFile(), '--server', 'nt4', '--transport', 'tcp'],
      /srv speaks no SMB that it was asked for: NT LM 0.12; .* \[DIALECT_REFUSED\]/,
    )
  })

  const states: Record<string, [change: string[], back: string[], says: RegExp]> = {
    'a disabled account': [
      ['pdbedit', '-r', '-u', 'bob', '-c', '[D]'],
      ['pdbedit', '-r', '-u', 'bob', '-c', '[]'],
      /server said STATUS_ACCOUNT_DISABLED; ask .*\[ACCOUNT_DISABLED\]/,
    ],
    'a locked account': [
      ['pdbedit', '-r', '-u', 'bob', '-c', '[L]'],
      ['pdbedit', '-r', '-u', 'bob', '-c', '[]'],
      /server said STATUS_ACCOUNT_LOCKED_OUT; wait .*\[ACCOUNT_LOCKED\]/,
    ],
    'an account that has expired': [
      ['pdbedit', '-u', 'bob', '-K', '1000000'],
      ['pdbedit', '-u', 'bob', '-K', 'never'],
      /server said STATUS_ACCOUNT_EXPIRED; ask .*\[ACCOUNT_DISABLED\]/,
    ],
    'a password that must be changed': [
      ['net', 'sam', 'set', 'pwdmustchangenow', 'bob', 'yes'],
      ['net', 'sam', 'set', 'pwdmustchangenow', 'bob', 'no'],
      /server said STATUS_PASSWORD_MUST_CHANGE; change the password first .*\[PASSWORD_EXPIRED\]/,
    ],
  }
  for (const [what, [change, back, says]] of Object.entries(states)) {
    test(what, async () => {
      const srv = lab.server()
      const [tool = '', ...words] = change
      await srv.tool(tool, ...words)
      try {
        await refused('//srv/app', ['--auth-file', lab.authFile('bob')], new RegExp(`logging in as LAB/bob on srv: ${says.source}`))
      } finally {
        const [undo = '', ...rest] = back
        await srv.tool(undo, ...rest)
      }
    })
  }
})

describe('a server that takes no NTLM', { skip: noLab, timeout: 800_000 }, () => {
  test('is told from a wrong password', async () => {
    await using lab = await startLab({ servers: { srv: { global: ['ntlm auth = disabled'] }, srv2: {} } })
    const { stderr } = await lab.run('client1', ['nbtrun', '--share', '//srv/app', '--auth-file', lab.authFile(), '--', 'true'])
    assert.match(stderr, /^nbtrun: [^\n]*STATUS_NTLM_BLOCKED; nbtrun logs in by NTLM only[^\n]*\[NTLM_REFUSED\]\n$/)
    await nothingLeft(lab)
  })
})

describe('a refused login', { skip: missing('lab', 'capture'), timeout: 800_000 }, () => {
  test('is the only one of a run: the other servers are not tried with the same password', async () => {
    await using lab = await startLab()
    const capture = await lab.capture('client1')
    const words = ['--share', '//srv/app', '--share', '//srv2/files', '--user', 'alice', '--password-fd', '0']
    const { code, stderr } = await lab.run('client1', ['nbtrun', ...words, '--', 'true'], { input: 'wrong\n' })
    assert.match(stderr, /^nbtrun: logging in as alice on srv: server said STATUS_LOGON_FAILURE[^\n]*\[LOGON_FAILED\]\n$/)
    assert.equal(code, 125)
    const { streams } = await judge(await capture.stop())
    const setups = streams.flatMap(s => s.commands.filter(c => c.command === 'SESSION_SETUP' && !c.response).map(() => s.server))
    assert.deepEqual(setups, [lab.server().address, lab.server().address], 'the two rounds of one login')
    await nothingLeft(lab)
  })
})
