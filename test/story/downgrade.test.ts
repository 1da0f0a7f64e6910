// A server, or somebody before it, that answers NEGOTIATE with something weaker than was asked for.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import type { ConnectOptions } from '../../src/smb/index.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { type Smb2Dialect, DIALECT, SMB2_DIALECTS } from '../../src/smb/smb2/dialect.ts'
import { ioctlResponse } from '../../src/smb/smb2/ioctl.ts'
import { CAPABILITY, negotiateRequest, type NegotiateRequest } from '../../src/smb/smb2/negotiate.ts'
import { validateNegotiateResponse } from '../../src/smb/smb2/validate-negotiate.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { impostor, type Lie } from './impostor.ts'
import { field, type Meddler, proxy } from './proxy.ts'
import { converse, nothingLeft, SOON_MS, touch } from './story.ts'

const BODY = 64
const dialect = (value: number) => (m: Buffer) => void m.writeUInt16LE(value, BODY + 4)

/** The contexts of a NEGOTIATE answer, by type, as views that begin with their header. [MS-SMB2] 2.2.4. */
function contexts(m: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  let at = m.readUInt32LE(BODY + 60)
  for (let left = m.readUInt16LE(BODY + 6); left > 0; left--) {
    const length = 8 + m.readUInt16LE(at + 2)
    found.set(m.readUInt16LE(at), m.subarray(at, at + length))
    at = (at + length + 7) & ~7
  }
  return found
}

const PREAUTH = 1
const SIGNING = 8
const weaker: Record<string, [change: (m: Buffer) => Buffer | void, code: string]> = {
  'SMB 2.1': [dialect(0x210), 'DIALECT_REFUSED'],
  'SMB 2.0.2': [dialect(0x202), 'DIALECT_REFUSED'],
  'SMB 3.0.2': [dialect(0x302), 'DIALECT_REFUSED'],
  'the wildcard dialect': [dialect(0x2ff), 'DIALECT_REFUSED'],
  'that it supports none': [m => void m.writeUInt32LE(STATUS.NOT_SUPPORTED, 8), 'DIALECT_REFUSED'],
  SMB1: [m => Buffer.concat([Buffer.from('ff534d4272', 'hex'), m.subarray(5)]), 'WIRE'],
  'no contexts': [m => void m.writeUInt16LE(0, BODY + 6), 'WIRE'],
  'no preauth integrity': [m => void contexts(m).get(PREAUTH)!.writeUInt16LE(0x4242, 0), 'WIRE'],
  'a hash that nobody knows': [
    m =>
      void contexts(m)
        .get(PREAUTH)!
        .writeUInt16LE(2, 8 + 4),
    'WIRE',
  ],
  'two hashes': [m => void contexts(m).get(PREAUTH)!.writeUInt16LE(2, 8), 'WIRE'],
  'preauth integrity twice': [m => void contexts(m).get(SIGNING)!.writeUInt16LE(PREAUTH, 0), 'WIRE'],
  'a signing algorithm that was not offered': [
    m =>
      void contexts(m)
        .get(SIGNING)!
        .writeUInt16LE(7, 8 + 2),
    'WIRE',
  ],
  'another signing algorithm than the server chose': [
    m =>
      void contexts(m)
        .get(SIGNING)!
        .writeUInt16LE(0, 8 + 2),
    'BAD_SIGNATURE',
  ],
  'no signing algorithm': [m => void contexts(m).get(SIGNING)!.writeUInt16LE(0x4242, 0), 'BAD_SIGNATURE'],
  'another salt': [m => void (contexts(m).get(PREAUTH)![20]! ^= 1), 'BAD_SIGNATURE'],
  'contexts that lie outside': [m => void m.writeUInt32LE(0xffff_fff8, BODY + 60), 'WIRE'],
  'more contexts than there are': [m => void m.writeUInt16LE(0xffff, BODY + 6), 'WIRE'],
}

describe('a NEGOTIATE answer that offers less than 3.1.1, which was asked for', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const [what, [change, want]] of Object.entries(weaker)) {
    test(`${what}: ${want}`, async () => {
      const lab = await useLab()
      let first = true
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame) {
            if (!first || field.command(frame) !== 0) return frame
            first = false
            return change(frame) ?? frame
          },
        },
      )
      const { code, error, teardown, ms } = await converse(lab, between.port, touch, { minDialect: '3.1.1' })
      assert.equal(code, want, error?.message)
      assert.deepEqual(teardown, [])
      assert.ok(ms < SOON_MS, `${ms} ms`)
    })
  }
})

/** Changes what the client says in NEGOTIATE. */
function requesting(change: (m: NegotiateRequest) => NegotiateRequest): Meddler {
  return {
    fromClient(frame) {
      if (field.command(frame) !== COMMAND.NEGOTIATE) return frame
      return Buffer.concat([frame.subarray(0, BODY), encode(negotiateRequest, change(decode(negotiateRequest, frame.subarray(BODY))))])
    },
  }
}

/** Strikes every dialect above `best` from NEGOTIATE, and the contexts that only the best one has. */
const strike = (best: Smb2Dialect): Meddler => requesting(m => ({ ...m, dialects: m.dialects.filter(d => d <= DIALECT[best]), contexts: [] }))

describe('somebody in between who makes the negotiation worse', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  let notes = 0 // each its own file: they run at once
  async function through(meddler: Meddler, options: Partial<ConnectOptions> = {}): Promise<Awaited<ReturnType<typeof converse>>> {
    const lab = await useLab()
    await using between = await proxy({ host: lab.server().address, port: 445 }, meddler)
    const outcome = await converse(lab, between.port, share => touch(share, undefined, `note-${++notes}`), options)
    assert.ok(outcome.ms < SOON_MS, `${outcome.ms} ms`)
    return outcome
  }

  for (const best of SMB2_DIALECTS.slice(0, -1)) {
    test(`by striking all above ${best} from the request: DOWNGRADE, and nothing is left`, async () => {
      const { code, error } = await through(strike(best))
      assert.equal(code, 'DOWNGRADE', error?.line)
      assert.match(error?.message ?? '', new RegExp(`SMB ${best} was tampered with`))
    })
    test(`by saying that the server chose ${best}: the login is not signed as it must be`, async () => {
      const { code } = await through({ fromServer: m => (field.command(m) === COMMAND.NEGOTIATE ? (dialect(DIALECT[best])(m), m) : m) })
      assert.equal(code, 'BAD_SIGNATURE')
    })
  }

  test('by striking encryption from the client’s capabilities: DOWNGRADE', async () => {
    const meddler = requesting(m => ({ ...m, capabilities: m.capabilities & ~CAPABILITY.ENCRYPTION }))
    assert.equal((await through(meddler, { maxDialect: '3.0.2' })).code, 'DOWNGRADE')
  })

  test('by striking encryption from the server’s capabilities: DOWNGRADE', async () => {
    const meddler: Meddler = {
      fromServer(m) {
        if (field.command(m) === COMMAND.NEGOTIATE) m.writeUInt32LE(m.readUInt32LE(BODY + 24) & ~CAPABILITY.ENCRYPTION, BODY + 24)
        return m
      },
    }
    assert.equal((await through(meddler, { maxDialect: '3.0.2' })).code, 'DOWNGRADE')
  })

  const lies: Record<string, [change: (m: Buffer) => Buffer | void, code: string | undefined]> = {
    'another dialect': [validated(m => ({ ...m, dialect: DIALECT['3.0'] })), 'DOWNGRADE'],
    'other capabilities': [validated(m => ({ ...m, capabilities: m.capabilities ^ CAPABILITY.LEASING })), 'DOWNGRADE'],
    'another security mode': [validated(m => ({ ...m, securityMode: 3 })), 'DOWNGRADE'],
    'another server': [validated(m => ({ ...m, serverGuid: Buffer.alloc(16, 0x42) })), 'DOWNGRADE'],
    'that it denies it': [m => failed(m, STATUS.ACCESS_DENIED), 'DOWNGRADE'],
    'something short': [m => void m.writeUInt32LE(3, BODY + 36), 'WIRE'],
    'that it knows no such question': [m => failed(m, STATUS.FILE_CLOSED), undefined],
    'that it does not support it': [m => failed(m, STATUS.NOT_SUPPORTED), undefined],
    'that no such device is there': [m => failed(m, STATUS.INVALID_DEVICE_REQUEST), undefined],
  }
  for (const maxDialect of ['2.1', '3.0.2'] as const) {
    for (const [what, [change, want]] of Object.entries(lies)) {
      test(`SMB ${maxDialect}, and the server confirms ${what}, signed: ${want ?? 'fine'}`, async () => {
        const lie: Lie = frame => (field.command(frame) === COMMAND.IOCTL ? (change(frame) ?? frame) : frame)
        const { code, error, teardown } = await through(impostor(await useLab(), lie), { maxDialect })
        assert.equal(code, want, error?.line)
        // what it granted is given back, the signatures being good
        assert.deepEqual(teardown.slice(-2), ['LOGOFF: STATUS_SUCCESS', 'FIN: ok'])
      })
    }

    test(`SMB ${maxDialect}, and the confirmation comes unsigned: DOWNGRADE, whatever it says`, async () => {
      for (const status of [STATUS.SUCCESS, STATUS.FILE_CLOSED, STATUS.NOT_SUPPORTED]) {
        const { code } = await through(
          {
            fromServer(frame) {
              if (field.command(frame) !== COMMAND.IOCTL) return frame
              const told = failed(frame, status)
              told.writeUInt32LE(field.flags(told) & ~8, 16)
              return told
            },
          },
          { maxDialect },
        )
        assert.equal(code, 'DOWNGRADE')
      }
    })
  }

  test('once only: the second share of a connection is not confirmed again', async () => {
    let asked = 0
    const lab = await useLab()
    await using between = await proxy(
      { host: lab.server().address, port: 445 },
      { fromClient: frame => (field.command(frame) === COMMAND.IOCTL && asked++, frame) },
    )
    const { code } = await converse(lab, between.port, async (_, client) => void (await client.tree('readonly')), { maxDialect: '3.0' })
    assert.deepEqual([code, asked], [undefined, 1])
  })
})

type Confirmation = Parameters<typeof validateNegotiateResponse.put>[1]

/** A confirmation that says something else. */
function validated(change: (m: Confirmation) => Confirmation): (frame: Buffer) => Buffer {
  return frame => {
    const { output, ...rest } = decode(ioctlResponse, frame.subarray(BODY))
    const told = encode(validateNegotiateResponse, change(decode(validateNegotiateResponse, output)))
    return Buffer.concat([frame.subarray(0, BODY), encode(ioctlResponse, { ...rest, output: told })])
  }
}

/** An answer that is an error. [MS-SMB2] 2.2.2. */
function failed(frame: Buffer, status: number): Buffer {
  const head = Buffer.from(frame.subarray(0, BODY))
  head.writeUInt32LE(status, 8)
  return Buffer.concat([head, Buffer.from('090000000000000000', 'hex')])
}
