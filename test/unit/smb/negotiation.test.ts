import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { agree, offer } from '../../../src/smb/smb2/negotiation.ts'
import { type Smb2Dialect, DIALECT, SMB2_DIALECTS } from '../../../src/smb/smb2/dialect.ts'
import { CAPABILITY, CONTEXT, type NegotiateContext, type NegotiateResponse, SECURITY_MODE } from '../../../src/smb/smb2/negotiate.ts'
import { TERMS, type Terms } from '../../../src/smb/terms.ts'

const GUID = Buffer.alloc(16, 7)
const offered = (terms: Partial<Terms> = {}): ReturnType<typeof offer> => offer({ ...TERMS, ...terms }, 'srv', GUID)

const ids = (type: number, ...values: number[]): NegotiateContext => {
  const data = Buffer.alloc(2 + 2 * values.length)
  data.writeUInt16LE(values.length)
  for (const [i, value] of values.entries()) data.writeUInt16LE(value, 2 + 2 * i)
  return { type, data }
}
const PREAUTH: NegotiateContext = { type: CONTEXT.PREAUTH_INTEGRITY, data: Buffer.from(`010020000100${'22'.repeat(32)}`, 'hex') }

function answer(dialect: Smb2Dialect, more: Partial<NegotiateResponse> = {}): NegotiateResponse {
  return {
    securityMode: SECURITY_MODE.SIGNING_ENABLED,
    dialect: DIALECT[dialect],
    serverGuid: Buffer.alloc(16, 1),
    capabilities: CAPABILITY.LARGE_MTU | CAPABILITY.ENCRYPTION,
    maxTransactSize: 0x800000,
    maxReadSize: 0x800000,
    maxWriteSize: 0x800000,
    systemTime: 0n,
    serverStartTime: 0n,
    securityBuffer: Buffer.alloc(0),
    contexts: dialect === '3.1.1' ? [PREAUTH, ids(CONTEXT.ENCRYPTION, 2), ids(CONTEXT.SIGNING, 2)] : [],
    ...more,
  }
}
function agreed(dialect: Smb2Dialect, more: Partial<NegotiateResponse> = {}, terms: Partial<Terms> = {}): ReturnType<typeof agree> {
  return agree('srv', { ...TERMS, ...terms }, offered(terms), answer(dialect, more))
}

describe('an offer', () => {
  test('has the dialects between the two that were asked for, both ends included, and no other', () => {
    for (const [i, minDialect] of SMB2_DIALECTS.entries()) {
      for (const [j, maxDialect] of SMB2_DIALECTS.entries()) {
        if (i > j) assert.throws(() => offered({ minDialect, maxDialect }), { code: 'USAGE' })
        else
          assert.deepEqual(
            offered({ minDialect, maxDialect }).dialects,
            SMB2_DIALECTS.slice(i, j + 1).map(name => DIALECT[name]),
          )
      }
    }
  })

  test('has capabilities with 3.x alone, and contexts with 3.1.1 alone', () => {
    for (const [maxDialect, capabilities, contexts] of [
      ['2.0.2', 0, []],
      ['2.1', 0, []],
      ['3.0', CAPABILITY.LARGE_MTU | CAPABILITY.ENCRYPTION, []],
      ['3.0.2', CAPABILITY.LARGE_MTU | CAPABILITY.ENCRYPTION, []],
      ['3.1.1', CAPABILITY.LARGE_MTU | CAPABILITY.ENCRYPTION, [CONTEXT.PREAUTH_INTEGRITY, CONTEXT.ENCRYPTION, CONTEXT.NETNAME, CONTEXT.SIGNING]],
    ] as const) {
      const request = offered({ maxDialect })
      assert.deepEqual([request.capabilities, request.contexts.map(c => c.type)], [capabilities, contexts], maxDialect)
    }
  })

  test('promises no cipher that it may not use', () => {
    assert.equal(offered({ maxDialect: '3.0.2', ciphers: ['AES-256-GCM'] }).capabilities, CAPABILITY.LARGE_MTU)
    const none = offered({ ciphers: [] })
    assert.equal(none.capabilities, CAPABILITY.LARGE_MTU)
    assert.equal(
      none.contexts.some(c => c.type === CONTEXT.ENCRYPTION),
      false,
    )
  })

  test('names ciphers and signing algorithms in their order', () => {
    const { contexts } = offered({ ciphers: ['AES-256-CCM', 'AES-128-GCM'], signing: ['AES-CMAC'] })
    assert.deepEqual(contexts[1], ids(CONTEXT.ENCRYPTION, 3, 2))
    assert.deepEqual(contexts[3], ids(CONTEXT.SIGNING, 1))
    assert.deepEqual(offered().contexts[1], ids(CONTEXT.ENCRYPTION, 2, 4, 1, 3))
    assert.deepEqual(offered().contexts[3], ids(CONTEXT.SIGNING, 2, 1, 0))
  })

  test('says that signatures are required when they are', () => {
    assert.equal(offered().securityMode, SECURITY_MODE.SIGNING_ENABLED)
    assert.equal(offered({ requireSigning: true }).securityMode, SECURITY_MODE.SIGNING_REQUIRED)
  })

  test('has new salt each time', () => {
    assert.notDeepEqual(offered().contexts[0], offered().contexts[0])
  })
})

describe('an answer', () => {
  test('decides by its dialect what signs, what may encrypt, and how much one request moves', () => {
    assert.deepEqual(
      SMB2_DIALECTS.map(dialect => agreed(dialect)),
      [
        { dialect: '2.0.2', signing: 'HMAC-SHA256', cipher: undefined, largeMtu: false },
        { dialect: '2.1', signing: 'HMAC-SHA256', cipher: undefined, largeMtu: true },
        { dialect: '3.0', signing: 'AES-CMAC', cipher: 'AES-128-CCM', largeMtu: true },
        { dialect: '3.0.2', signing: 'AES-CMAC', cipher: 'AES-128-CCM', largeMtu: true },
        { dialect: '3.1.1', signing: 'AES-GMAC', cipher: 'AES-128-GCM', largeMtu: true },
      ],
    )
  })

  test('without these capabilities leaves them out', () => {
    for (const dialect of ['2.1', '3.0', '3.0.2'] as const) {
      const { cipher, largeMtu } = agreed(dialect, { capabilities: 0 })
      assert.deepEqual([cipher, largeMtu], [undefined, false], dialect)
    }
    assert.equal(agreed('3.1.1', { capabilities: 0 }).cipher, 'AES-128-GCM', 'there the context decides')
    assert.equal(agreed('3.0', {}, { ciphers: ['AES-128-GCM'] }).cipher, undefined)
  })

  test('of 3.1.1 without a word about signing means AES-CMAC, if that was offered', () => {
    assert.equal(agreed('3.1.1', { contexts: [PREAUTH] }).signing, 'AES-CMAC')
    assert.throws(() => agreed('3.1.1', { contexts: [PREAUTH] }, { signing: ['AES-GMAC'] }), { code: 'SIGNING_REFUSED' })
  })

  test('of 3.1.1 without a cipher, or with none in common, encrypts nothing', () => {
    for (const contexts of [[PREAUTH], [PREAUTH, ids(CONTEXT.ENCRYPTION, 0)]]) {
      assert.equal(agreed('3.1.1', { contexts }).cipher, undefined)
      assert.throws(() => agreed('3.1.1', { contexts }, { requireEncryption: true }), { code: 'ENCRYPTION_REFUSED' })
    }
  })

  test('that chooses what was not offered is refused', () => {
    for (const context of [ids(CONTEXT.ENCRYPTION, 9), ids(CONTEXT.ENCRYPTION, 1, 2), ids(CONTEXT.ENCRYPTION), ids(CONTEXT.SIGNING, 3)])
      assert.throws(() => agreed('3.1.1', { contexts: [PREAUTH, context] }), { code: 'WIRE' })
    assert.throws(() => agreed('3.1.1', { contexts: [PREAUTH, ids(CONTEXT.ENCRYPTION, 1)] }, { ciphers: ['AES-256-GCM'] }), { code: 'WIRE' })
    assert.throws(() => agreed('3.1.1', { contexts: [PREAUTH, PREAUTH] }), { code: 'WIRE' })
  })

  test('in a dialect that was not asked for is refused, and the line names both', () => {
    for (const [dialect, terms, says] of [
      ['2.1', { minDialect: '3.0' }, 'srv does not speak SMB 3.0 to 3.1.1: it answered with SMB 2.1'],
      ['3.1.1', { maxDialect: '3.0.2' }, 'srv does not speak SMB 2.0.2 to 3.0.2: it answered with SMB 3.1.1'],
      ['3.0', { minDialect: '3.0.2', maxDialect: '3.0.2' }, 'srv does not speak SMB 3.0.2: it answered with SMB 3.0'],
    ] as const)
      assert.throws(() => agreed(dialect, {}, terms), { code: 'DIALECT_REFUSED', message: says })
    for (const revision of [0, 0x2ff, 0x303, 0xffff]) assert.throws(() => agreed('3.0', { dialect: revision }), { code: 'DIALECT_REFUSED' })
  })

  test('that cannot encrypt is refused where everything must be', () => {
    for (const dialect of ['2.0.2', '2.1'] as const) assert.throws(() => agreed(dialect, {}, { requireEncryption: true }), { code: 'ENCRYPTION_REFUSED' })
    assert.throws(() => agreed('3.0', { capabilities: 0 }, { requireEncryption: true }), { code: 'ENCRYPTION_REFUSED' })
    assert.equal(agreed('3.0', {}, { requireEncryption: true }).cipher, 'AES-128-CCM')
  })

  test('that takes no bytes at a time is refused', () => {
    for (const size of ['maxReadSize', 'maxWriteSize', 'maxTransactSize'] as const) assert.throws(() => agreed('2.1', { [size]: 0 }), { code: 'WIRE' })
  })
})
