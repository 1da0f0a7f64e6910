// SMB1 against the real Samba, through the library: each kind of login, and servers that can less, played by a Samba that is told to or a relay in between.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { asError } from '../../src/base/errors.ts'
import { pause } from '../../src/base/time.ts'
import { type Client, connect, type ConnectOptions, type Files } from '../../src/smb/index.ts'
import { copyWhile } from '../story/meddling.ts'
import { type Meddler, proxy } from '../story/proxy.ts'
import { type Lab, startLab } from './index.ts'
import { nbtrunReceipt, noLab, noMapping, nothingLeft } from './nbtrun.ts'

const NT1 = { minDialect: 'NT1', maxDialect: 'NT1' } as const
const smb1 = ['server min protocol = NT1', 'raw NTLMv2 auth = yes', 'ntlm auth = yes', 'lanman auth = yes', 'reset on zero vc = yes']

/** Places in an SMB1 message. [MS-CIFS] 2.2.3.1 and 2.2.4.52.2. */
const at = { command: 4, securityMode: 35, maxMpx: 36, maxBuffer: 40, capabilities: 52 } as const
const NEGOTIATE = 0x72
const SESSION_SETUP = 0x73

/** What the server says in NEGOTIATE, changed. */
function says(change: (answer: Buffer) => void): Meddler {
  return {
    fromServer(frame) {
      if (frame[at.command] === NEGOTIATE && frame.length > 60) change(frame)
      return frame
    },
  }
}
const without =
  (...bits: readonly number[]) =>
  (answer: Buffer): void => {
    answer.writeUInt32LE((answer.readUInt32LE(at.capabilities) & ~bits.reduce((a, b) => a | b, 0)) >>> 0, at.capabilities)
  }
const limited = (bytes: number, requests: number) => (answer: Buffer) => {
  answer.writeUInt16LE(requests, at.maxMpx)
  answer.writeUInt32LE(bytes, at.maxBuffer)
}

/** All that a program may do with files, judged by the server's disk. */
async function exercise(files: Files, disk: string): Promise<void> {
  const bytes = randomBytes(300_001)
  await files.makeDirectory('d')
  const file = await files.open('d\\übung', { read: true, write: true, disposition: 'create' })
  await file.write(0, bytes)
  await file.flush()
  assert.ok(bytes.equals(await file.read(0, bytes.length + 10)))
  assert.deepEqual(await file.read(bytes.length, 10), Buffer.alloc(0))
  await file.lock({ offset: 5n, length: 10n }, true)
  const other = await files.open('d\\übung', { read: true, write: true })
  await assert.rejects(other.lock({ offset: 0n, length: 6n }, false), thrown => asError(thrown).facts['errno'] === 'EAGAIN')
  const gone = new AbortController()
  const waiting = other.lock({ offset: 0n, length: 6n }, false, { signal: gone.signal })
  setTimeout(() => gone.abort(), 50)
  await assert.rejects(waiting, thrown => asError(thrown).facts['errno'] === 'EINTR')
  const granted = other.lock({ offset: 0n, length: 6n }, false, { signal: new AbortController().signal })
  await file.unlock({ offset: 5n, length: 10n })
  await granted
  await other.unlock({ offset: 0n, length: 6n })
  await file.truncate(1000)
  const written = 126_000_000_000_000_000n
  await file.setTimes({ written })
  const info = await file.stat()
  assert.deepEqual([info.size, info.written, info.directory], [1000, written, false])
  for (const open of [file, other]) assert.equal((await open.close()).how, 'clean')
  assert.ok(bytes.subarray(0, 1000).equals(readFileSync(join(disk, 'd', 'übung'))))

  for (let i = 0; i < 210; i++) await (await files.open(`d\\${'n'.repeat(240)}${i}`, { write: true, disposition: 'create' })).close()
  const folder = await files.open('d', { read: true, directory: true })
  for (let times = 0; times < 2; times++) {
    const names: string[] = []
    for (let batch = await folder.entries(true); batch.length > 0; batch = await folder.entries(false)) names.push(...batch.map(({ name }) => name))
    assert.deepEqual([names.length, new Set(names).size, names.includes('übung')], [211, 211, true])
  }
  await folder.entries(true) // and not to the end
  assert.equal((await folder.close()).how, 'clean')

  await files.rename('d\\übung', 'moved', false)
  await (await files.open('target', { write: true, disposition: 'create' })).close()
  await assert.rejects(files.rename('moved', 'target', false), thrown => asError(thrown).facts['errno'] === 'EEXIST')
  await files.rename('moved', 'target', true)
  await files.rename('target', `d\\${'n'.repeat(240)}0`, true) // into another folder, onto a file
  assert.equal((await files.stat(`d\\${'n'.repeat(240)}0`)).size, 1000)
  for (const wild of ['d\\*', 'd\\n?', 'd\\<']) {
    await assert.rejects(files.remove(wild, false), thrown => asError(thrown).facts['errno'] === 'ENOENT')
    await assert.rejects(files.rename(wild, 'd\\x', true), thrown => asError(thrown).facts['errno'] === 'ENOENT')
  }
  await assert.rejects(files.remove('d', true), thrown => asError(thrown).facts['errno'] === 'ENOTEMPTY')
  for (let i = 0; i < 210; i++) await files.remove(`d\\${'n'.repeat(240)}${i}`, false)
  await files.remove('d', true)
  await assert.rejects(files.stat('d'), thrown => asError(thrown).facts['errno'] === 'ENOENT')
  const { totalBytes, freeBytes } = await files.volume()
  assert.ok(totalBytes >= freeBytes && freeBytes > 0)
}

describe('SMB1', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { global: [...smb1, 'server signing = mandatory'] }, srv2: { global: [...smb1, 'server signing = disabled'] } } })
  })
  after(() => lab?.dispose())

  const user = { user: 'alice', domain: 'LAB' }
  const to = (server: string, options: Partial<ConnectOptions> = {}): Promise<Client> =>
    connect(lab.server(server).address, { ...user, password: lab.password(), ...NT1, ...options })

  async function works(server: string, options: Partial<ConnectOptions>, signing: string | undefined): Promise<void> {
    const client = await to(server, options)
    try {
      const share = server === 'srv' ? 'app' : 'files'
      const tree = await client.tree(share)
      await exercise(tree.files, lab.server(server).diskPath(share))
      assert.deepEqual([client.session.connection.dialect, client.session.signing], ['NT1', signing])
    } finally {
      const steps = await client.close()
      assert.deepEqual(
        steps.filter(({ ok }) => !ok),
        [],
      )
    }
    await nothingLeft(lab)
  }

  for (const transport of ['tcp', 'nbt'] as const) {
    test(`by SPNEGO, signed, over ${transport}`, () => works('srv', { transport }, 'MD5'))
    test(`by NTLMv2 alone, unsigned, over ${transport}`, () => works('srv2', { transport, extendedSecurity: false }, undefined))
  }
  test('by SPNEGO, unsigned', () => works('srv2', {}, undefined))
  test('by NTLMv1 in SPNEGO, signed', () => works('srv', { authLevel: 'ntlm' }, 'MD5'))
  test('by NTLMv1 alone, and by LM', async () => {
    for (const authLevel of ['ntlm', 'lm'] as const) {
      const client = await to('srv2', { authLevel, extendedSecurity: false })
      await client.tree('files')
      assert.deepEqual(
        (await client.close()).filter(({ ok }) => !ok),
        [],
      )
    }
    await nothingLeft(lab)
  })

  test('a server of SMB2, too, answers with that when both are allowed', async () => {
    const client = await to('srv', { maxDialect: '3.1.1' })
    assert.equal(client.session.connection.dialect, '3.1.1')
    await client.close()
  })

  test('its own account of shares and sessions, over pipes', async () => {
    for (const server of ['srv', 'srv2']) {
      const client = await connect(lab.server(server).address, { user: 'boss', domain: 'LAB', password: lab.password('boss'), ...NT1 })
      try {
        const service = await client.service()
        const shares = (await service.shares()).map(({ name }) => name)
        assert.ok(shares.includes('IPC$') && shares.length > 1, shares.join())
        const { sessions } = await service.sessions()
        assert.ok(sessions.some(session => session.user === 'boss'))
      } finally {
        await client.close()
      }
    }
    await nothingLeft(lab)
  })

  test('another user’s session survives every login of ours, though the server resets on VcNumber 0', async () => {
    const other = await connect(lab.server().address, { user: 'bob', domain: 'LAB', password: lab.password('bob'), ...NT1 })
    const share = await other.tree('app')
    await share.writeFile('held', Buffer.from('x'))
    const zero = { fromClient: (frame: Buffer): Buffer => (frame[at.command] === SESSION_SETUP ? (vcs.push(frame.readUInt16LE(32 + 9)), frame) : frame) }
    const vcs: number[] = []
    await using between = await proxy({ host: lab.server().address, port: 445 }, zero)
    for (const extendedSecurity of [true, true]) {
      const client = await connect('127.0.0.1', { ...user, password: lab.password(), ...NT1, extendedSecurity, port: between.port })
      await client.tree('app')
      await client.close()
    }
    assert.ok(vcs.length >= 4)
    assert.ok(
      vcs.every(vc => vc === 1),
      vcs.join(),
    )
    assert.equal((await share.readFile('held')).toString(), 'x')
    await other.close()
    await nothingLeft(lab)
  })

  /** Through a relay, which can make nothing of what is signed: to the server that signs not. */
  async function through(changes: readonly ((answer: Buffer) => void)[], options: Partial<ConnectOptions> = {}): Promise<void> {
    const change = (answer: Buffer): void => {
      for (const one of changes) one(answer)
    }
    await using between = await proxy({ host: lab.server('srv2').address, port: 445 }, says(change))
    const client = await connect('127.0.0.1', { ...user, password: lab.password(), ...NT1, ...options, port: between.port })
    try {
      await exercise((await client.tree('files')).files, lab.server('srv2').diskPath('files'))
    } finally {
      assert.deepEqual(
        (await client.close()).filter(({ ok }) => !ok),
        [],
      )
    }
    await nothingLeft(lab)
  }

  test('a server without Unicode', () => through([without(0x4)]))
  test('a server without pass-through levels, large reads and large writes, as NT 4.0 is', () => through([without(0x2000, 0x4000, 0x8000), limited(4356, 10)]))
  test('a server that takes one request at a time, of 2 KiB', () => through([limited(2048, 1)]))

  for (const [what, change, says_] of [
    ['shares with passwords', (answer: Buffer) => (answer[at.securityMode]! &= ~1), /its passwords belong to shares, not to users/],
    ['passwords in the clear', (answer: Buffer) => (answer[at.securityMode]! &= ~2), /it wants passwords in the clear/],
    ['no requests of NT', (answer: Buffer) => (answer[at.capabilities]! &= ~0x10), /CAP_NT_SMBS/],
    ['no error codes of NT', (answer: Buffer) => (answer[at.capabilities]! &= ~0x40), /CAP_STATUS32/],
  ] as const)
    test(`a server from before NT, with ${what}, is refused in words`, async () => {
      await using between = await proxy({ host: lab.server('srv2').address, port: 445 }, says(change))
      await assert.rejects(connect('127.0.0.1', { ...user, password: lab.password(), ...NT1, port: between.port }), thrown => {
        const { code, line } = asError(thrown)
        assert.equal(code, 'DIALECT_REFUSED')
        assert.match(line, /speaks SMB1 as before Windows NT 4.0/)
        assert.match(line, says_)
        return true
      })
      await nothingLeft(lab)
    })

  test('a server that is restarted in the middle of a copy: a new session, and the copy is whole', { skip: noMapping }, async () => {
    const { said, end } = await copyWhile(lab, 16, ['--server', 'nt4', '--transport', 'tcp'], async () => {
      await lab.stopSmbd('srv')
      await pause(700)
      await lab.startSmbd('srv')
    })
    assert.deepEqual([said, end.stderr, end.receipt.reconnects, end.receipt.end], ['0', '', 1, 'acknowledged'])
    assert.deepEqual(
      end.receipt.shares.map(({ dialect, signing }) => [dialect, signing]),
      [['NT1', 'MD5']],
    )
  })

  test('whether a session is gone is for administrators to ask', async () => {
    const options = ['--min-dialect', 'NT1', '--max-dialect', 'NT1', '--mapping', 'none', '--grace', '0', '--verify']
    const { receipt } = await nbtrunReceipt(lab, ['true'], { options })
    assert.deepEqual([receipt.verified, receipt.end], [null, 'acknowledged'], receipt.verification ?? '')
    const asked = await nbtrunReceipt(lab, ['true'], { options: [...options, '--admin-auth-file', lab.authFile('boss')] })
    assert.deepEqual([asked.receipt.verified, asked.receipt.end], [true, 'acknowledged'], asked.receipt.verification ?? '')
    await nothingLeft(lab)
  })

  test('what is too weak is refused: no signing where it is required, no encryption, a guest, a wrong password once', async () => {
    const refused = async (options: Partial<ConnectOptions>, code: string): Promise<void> => {
      await assert.rejects(to('srv2', options), thrown => asError(thrown).code === code, code)
      await nothingLeft(lab)
    }
    await refused({ requireEncryption: true }, 'ENCRYPTION_REFUSED')
    await refused({ password: 'wrong' }, 'LOGON_FAILED')
    // it says that it signs, and never does what began without SPNEGO
    const raw = await to('srv', { extendedSecurity: false })
    await assert.rejects(raw.tree('app'), { code: 'BAD_SIGNATURE' })
    await raw.close()
    await nothingLeft(lab)
  })
})
