// A server that lets the user in as a guest only, or somebody before it who says so.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { SESSION_FLAG } from '../../src/smb/smb2/session-setup.ts'
import { SHARE_FLAG } from '../../src/smb/smb2/tree-connect.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { impostor } from './impostor.ts'
import { field, proxy } from './proxy.ts'
import { converse, nothingLeft, SOON_MS } from './story.ts'

const setFlag = (frame: Buffer, flag: number): void => void frame.writeUInt16LE(flag, 64 + 2)
const unsign = (frame: Buffer): void => void frame.writeUInt32LE(field.flags(frame) & ~FLAG.SIGNED, 16)

const cases: Record<string, [change: (frame: Buffer) => void, code: string]> = {
  'a guest, unsigned': [
    frame => {
      setFlag(frame, SESSION_FLAG.IS_GUEST)
      unsign(frame)
    },
    'GUEST_REFUSED',
  ],
  'nobody, unsigned': [
    frame => {
      setFlag(frame, SESSION_FLAG.IS_NULL)
      unsign(frame)
    },
    'GUEST_REFUSED',
  ],
  'a guest, under the user’s signature': [frame => setFlag(frame, SESSION_FLAG.IS_GUEST), 'BAD_SIGNATURE'],
  'the user, unsigned': [unsign, 'BAD_SIGNATURE'],
  'to be encrypted, under the wrong signature': [frame => setFlag(frame, SESSION_FLAG.ENCRYPT_DATA), 'BAD_SIGNATURE'],
}

describe('a login that comes back as', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const [what, [change, want]] of Object.entries(cases)) {
    test(`${what}: ${want}, and nothing but LOGOFF is sent in that session`, async () => {
      const lab = await useLab()
      const later: number[] = []
      let goodbyes = 0
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromClient(frame) {
            if (field.command(frame) === COMMAND.LOGOFF) goodbyes++
            if (field.command(frame) > COMMAND.LOGOFF) later.push(field.command(frame))
            return frame
          },
          fromServer(frame) {
            if (field.command(frame) === COMMAND.SESSION_SETUP && field.status(frame) === STATUS.SUCCESS) change(frame)
            return frame
          },
        },
      )
      const { code, error, ms } = await converse(lab, between.port)
      assert.equal(code, want, error?.message)
      assert.deepEqual(later, [])
      // a guest's session is ended by its name; where the signature is wrong nobody is there to say it to
      assert.equal(goodbyes, want === 'GUEST_REFUSED' ? 1 : 0)
      assert.ok(ms < SOON_MS, `${ms} ms`)
    })
  }
})

describe('a server that takes everybody without asking', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const [as, flags] of [
    ['as a guest', SESSION_FLAG.IS_GUEST],
    ['as nobody', SESSION_FLAG.IS_NULL],
    ['as if it were the user', 0],
  ] as const) {
    test(`${as}: GUEST_REFUSED, and nothing but LOGOFF is said to it`, async () => {
      const lab = await useLab()
      const asked: number[] = []
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromClient: frame => (asked.push(field.command(frame)), frame),
          fromServer(frame) {
            if (field.command(frame) !== COMMAND.SESSION_SETUP) return frame
            const head = Buffer.from(frame.subarray(0, 64))
            head.writeUInt32LE(STATUS.SUCCESS, 8)
            return Buffer.concat([head, Buffer.from(`09000${flags}0048000000`, 'hex')])
          },
        },
      )
      const { code, error } = await converse(lab, between.port)
      assert.equal(code, 'GUEST_REFUSED', error?.line)
      assert.deepEqual(asked, [COMMAND.NEGOTIATE, COMMAND.SESSION_SETUP, COMMAND.LOGOFF])
    })
  }
})

describe('a server that grants a session which is not good enough, and signs that', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  const granted: Record<string, [flag: number, maxDialect: '2.1' | '3.1.1', code: string]> = {
    'as a guest': [SESSION_FLAG.IS_GUEST, '3.1.1', 'GUEST_REFUSED'],
    'as nobody': [SESSION_FLAG.IS_NULL, '3.1.1', 'GUEST_REFUSED'],
    'to be encrypted, with SMB 2.1': [SESSION_FLAG.ENCRYPT_DATA, '2.1', 'ENCRYPTION_REQUIRED'],
  }
  for (const [how, [flag, maxDialect, want]] of Object.entries(granted)) {
    test(`${how}: ${want}, and it is logged off`, async () => {
      const lab = await useLab()
      const seen: number[] = []
      const meddler = impostor(lab, frame => {
        if (field.command(frame) === COMMAND.SESSION_SETUP && field.status(frame) === STATUS.SUCCESS) setFlag(frame, flag)
        seen.push(field.command(frame))
        return frame
      })
      await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
      const { code, error } = await converse(lab, between.port, undefined, { maxDialect })
      assert.equal(code, want, error?.line)
      assert.deepEqual(seen, [COMMAND.NEGOTIATE, COMMAND.SESSION_SETUP, COMMAND.SESSION_SETUP, COMMAND.LOGOFF])
    })
  }

  test('or a share to be encrypted, with SMB 2.1: ENCRYPTION_REQUIRED, and it is disconnected', async () => {
    const lab = await useLab()
    const meddler = impostor(lab, frame => {
      if (field.command(frame) === COMMAND.TREE_CONNECT) frame.writeUInt32LE(SHARE_FLAG.ENCRYPT_DATA, 64 + 4)
      return frame
    })
    await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
    const { code, error, teardown } = await converse(lab, between.port, undefined, { maxDialect: '2.1' })
    assert.equal(code, 'ENCRYPTION_REQUIRED', error?.line)
    assert.deepEqual(teardown.slice(-2), ['LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
  })
})

describe('a refused login', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  const reasons = {
    LOGON_FAILURE: ['LOGON_FAILED', 'EACCES'],
    PASSWORD_EXPIRED: ['PASSWORD_EXPIRED', 'EACCES'],
    ACCOUNT_LOCKED_OUT: ['ACCOUNT_LOCKED', 'EACCES'],
    TIME_DIFFERENCE_AT_DC: ['CLOCK_SKEW', 'EACCES'],
    NTLM_BLOCKED: ['NTLM_REFUSED', 'EACCES'],
    NOT_SUPPORTED: ['NTLM_REFUSED', 'EOPNOTSUPP'],
    INVALID_WORKSTATION: ['LOGON_RESTRICTED', 'EACCES'],
    NO_LOGON_SERVERS: ['NO_LOGON_SERVER', 'EACCES'],
  } as const
  for (const [short, [want, errno]] of Object.entries(reasons)) {
    const status = STATUS[short as keyof typeof reasons]
    test(`for STATUS_${short}: ${want} with a cure, the status among its facts, and no other try`, async () => {
      const lab = await useLab()
      const asked: number[] = []
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromClient: frame => (asked.push(field.command(frame)), frame),
          fromServer(frame) {
            if (field.command(frame) !== COMMAND.SESSION_SETUP || field.status(frame) === STATUS.MORE_PROCESSING_REQUIRED) return frame
            const head = Buffer.from(frame.subarray(0, 64))
            head.writeUInt32LE(status, 8)
            return Buffer.concat([head, Buffer.from('090000000000000000', 'hex')])
          },
        },
      )
      const { code, error } = await converse(lab, between.port)
      assert.equal(code, want)
      assert.match(error?.line ?? '', new RegExp(`^logging in as alice on 127\\.0\\.0\\.1: server said STATUS_${short}; [a-z]`))
      assert.deepEqual(error?.facts, { status, name: `STATUS_${short}`, errno })
      assert.deepEqual([asked, between.taken], [[COMMAND.NEGOTIATE, COMMAND.SESSION_SETUP, COMMAND.SESSION_SETUP], 1])
    })
  }
})
