import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, Reader, WireError } from '../../../src/base/wire.ts'
import { ANY_NAME, compressedName, netbiosName, type NetbiosName, parseName, SMBSERVER, spellName } from '../../../src/nbt/names.ts'
import * as vectors from '../../vectors/vectors.ts'
import { codecContract, decodesOrRefuses } from '../contract.ts'

function onWire(label: string, ...rest: string[]): Buffer {
  return Buffer.concat([Buffer.from([32]), Buffer.from(label, 'latin1'), ...rest.map(part => Buffer.from(part, 'latin1')), Buffer.from([0])])
}

codecContract(netbiosName, vectors.SCOPED_NAME, { text: 'FRED', suffix: 0x20, scope: 'NETBIOS.COM' })
codecContract(compressedName, vectors.SCOPED_NAME, { text: 'FRED', suffix: 0x20, scope: 'NETBIOS.COM' }, { name: 'NetBIOS name with pointers' })

test('every name of the vectors is encoded and decoded', () => {
  for (const [raw, label] of vectors.NAMES) {
    const name: NetbiosName = { text: raw.slice(0, 15).replace(/ +$/, ''), suffix: raw.charCodeAt(15), scope: '' }
    assert.deepEqual(encode(netbiosName, name), onWire(label))
    assert.deepEqual(decode(netbiosName, onWire(label)), name)
    assert.deepEqual(decode(compressedName, onWire(label)), name)
  }
})

test('what RFC 1001 prints for its second example decodes to what it says, misprint and all', () => {
  assert.deepEqual(decode(netbiosName, onWire('FEGHGFCAEOGFHEECEJEPFDCAHEGBGNGF')), { text: 'Tge NetBIOS tam', suffix: 0x65, scope: '' })
})

test('the node status wildcard and *SMBSERVER have their known labels', () => {
  assert.deepEqual(encode(netbiosName, ANY_NAME), onWire('CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'))
  assert.deepEqual(encode(netbiosName, SMBSERVER), onWire('CKFDENECFDEFFCFGEFFCCACACACACACA'))
})

test('names that do not fit are not written', () => {
  const bad: readonly NetbiosName[] = [
    { text: 'SIXTEEN-LETTERS-', suffix: 0, scope: '' },
    { text: 'SRV', suffix: 256, scope: '' },
    { text: 'ŠRV', suffix: 0, scope: '' },
    { text: 'SRV', suffix: 0, scope: 'A..B' },
    { text: 'SRV', suffix: 0, scope: 'A'.repeat(64) },
    { text: 'SRV', suffix: 0, scope: ['A', 'B', 'C', 'D'].map(c => c.repeat(63)).join('.') },
  ]
  for (const name of bad) assert.throws(() => encode(netbiosName, name), { code: 'USAGE' }, spellName(name))
})

test('malformed names are refused', () => {
  const fred = 'EGFCEFEECACACACACACACACACACACACA'
  const bad: readonly Buffer[] = [
    Buffer.from([0]), // no name at all
    Buffer.concat([Buffer.from([31]), Buffer.from(fred.slice(1), 'latin1'), Buffer.from([0])]),
    Buffer.concat([Buffer.from([33]), Buffer.from(`${fred}A`, 'latin1'), Buffer.from([0])]),
    onWire(`${fred.slice(0, 31)}Q`),
    onWire(`${fred.slice(0, 31)}@`),
    onWire(`${fred.slice(0, 31)}a`),
    onWire(fred, '\x03A.B'), // would read as two labels
    onWire(fred, `\x40${'A'.repeat(64)}`),
    onWire(fred, `\x80${'A'.repeat(64)}`),
    onWire(fred, ...Array.from({ length: 4 }, () => `\x3f${'A'.repeat(63)}`)), // 291 bytes
  ]
  for (const bytes of bad) {
    assert.throws(() => decode(netbiosName, bytes), WireError, bytes.toString('hex'))
    assert.throws(() => decode(compressedName, bytes), WireError, bytes.toString('hex'))
  }
})

test('the longest name is 255 bytes on the wire', () => {
  const fits = ['A'.repeat(63), 'B'.repeat(63), 'C'.repeat(63), 'D'.repeat(28)].join('.')
  const name: NetbiosName = { text: 'SRV', suffix: 0x20, scope: fits }
  const bytes = encode(netbiosName, name)
  assert.equal(bytes.length, 255)
  assert.deepEqual(decode(netbiosName, bytes), name)
  assert.throws(() => encode(netbiosName, { ...name, scope: `${fits}D` }), { code: 'USAGE' })
})

test('a pointer stands for a whole name or for its scope, and the reader goes on behind it', () => {
  const packet = Buffer.concat([Buffer.alloc(12), vectors.SCOPED_NAME, Buffer.from('c00c0020', 'hex')])
  const r = new Reader(packet)
  r.skip(12)
  const name = compressedName.get(r)
  assert.deepEqual(compressedName.get(r), name)
  assert.equal(r.u16be(), 0x20)

  const label = vectors.SCOPED_NAME.subarray(0, 33)
  const scopeAt = 12 + 33
  const borrowed = Buffer.concat([packet.subarray(0, 12 + vectors.SCOPED_NAME.length), label, Buffer.from([0xc0, scopeAt, 0x77])])
  const second = new Reader(borrowed)
  second.pos = 12 + vectors.SCOPED_NAME.length
  assert.deepEqual(compressedName.get(second), name)
  assert.equal(second.u8(), 0x77)
})

test('pointers in circles, forwards or where none may stand are refused', () => {
  const at = (bytes: Buffer, pos: number): Reader => {
    const r = new Reader(bytes)
    r.pos = pos
    return r
  }
  const self = Buffer.from('c000', 'hex')
  const circle = Buffer.from('c002c000', 'hex')
  const forward = Buffer.concat([Buffer.from('c002', 'hex'), vectors.SCOPED_NAME])
  const label = vectors.SCOPED_NAME.subarray(0, 33)
  const scopeCircle = Buffer.concat([label, Buffer.from('c021', 'hex')])
  const wholeCircle = Buffer.concat([label, Buffer.from('c000', 'hex')])
  for (const [bytes, pos] of [
    [self, 0],
    [circle, 0],
    [circle, 2],
    [forward, 0],
    [scopeCircle, 0],
    [wholeCircle, 0],
  ] as const)
    assert.throws(() => compressedName.get(at(bytes, pos)), WireError)
  const pointing = Buffer.concat([vectors.SCOPED_NAME, Buffer.from('c000', 'hex')])
  assert.throws(() => netbiosName.get(at(pointing, vectors.SCOPED_NAME.length)), WireError)
  decodesOrRefuses({ name: 'pointer', put: () => {}, get: r => ((r.pos = vectors.SCOPED_NAME.length), compressedName.get(r)) }, pointing)
})

test('names are parsed in upper case with an optional suffix in hex', () => {
  assert.deepEqual(parseName('srv', 0x20), { text: 'SRV', suffix: 0x20, scope: '' })
  assert.deepEqual(parseName('Srv#1b', 0x20, 'corp'), { text: 'SRV', suffix: 0x1b, scope: 'CORP' })
  assert.deepEqual(parseName('*SMBSERVER#0', 0x20), { text: '*SMBSERVER', suffix: 0, scope: '' })
  for (const bad of ['', '#20', 'SRV#', 'SRV#123', 'SRV#xy', 'SIXTEEN-LETTERS-', 'ŠRV', 'FOURTEEN-ABCDEß'])
    assert.throws(() => parseName(bad, 0), { code: 'USAGE' }, bad)
})

test('names are spelled for people without control characters', () => {
  assert.equal(spellName({ text: 'SRV', suffix: 0x20, scope: '' }), 'SRV<20>')
  assert.equal(spellName({ text: 'SRV', suffix: 0, scope: 'CORP' }), 'SRV<00>.CORP')
  assert.equal(spellName(ANY_NAME), '*<00>')
  assert.equal(spellName({ text: '\x01\x02__MSBROWSE__\x02', suffix: 1, scope: '' }), '..__MSBROWSE__.<01>')
})
