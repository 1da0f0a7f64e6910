// A server, or somebody before it, that answers NEGOTIATE with something weaker than was asked for.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { field, proxy } from './proxy.ts'
import { converse, nothingLeft } from './story.ts'

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

describe('a NEGOTIATE answer that offers less', { skip: noLab, timeout: 30_000, concurrency: true }, () => {
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
      const { code, error, teardown, ms } = await converse(lab, between.port)
      assert.equal(code, want, error?.message)
      assert.deepEqual(teardown, [])
      assert.ok(ms < 2000, `${ms} ms`)
    })
  }
})
