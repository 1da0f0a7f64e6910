// Bytes: [live] smbclient and impacket to smbd 4.17 (test/vectors/smb1_*.json), [peer] a scanner to Windows XP (wanderview/node-netbios-session), [spec] by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, WireError } from '../../../../src/base/wire.ts'
import { DISPOSITION, SHARE_ACCESS } from '../../../../src/smb/access.ts'
import { createRequest, createResponse, closeRequest, handleRequest } from '../../../../src/smb/smb1/create.ts'
import { entriesOf, FIND_LEVEL, findFirst, findNext, found } from '../../../../src/smb/smb1/find.ts'
import { header } from '../../../../src/smb/smb1/header.ts'
import { allInfo, internalInformation, pathQuery, renameInFolder, sizeInfo } from '../../../../src/smb/smb1/information.ts'
import { lockRequest, oplockRelease, readRequest, readResponse, writeRequest, writeResponse } from '../../../../src/smb/smb1/io.ts'
import { negotiated } from '../../../../src/smb/smb1/negotiated.ts'
import { rawSessionSetupRequest, sessionSetupRequest, sessionSetupResponse } from '../../../../src/smb/smb1/session-setup.ts'
import { andX, deleteDirectoryRequest, echo, empty, renameRequest } from '../../../../src/smb/smb1/simple.ts'
import { Gathering, transactionRequest, transactionResponse } from '../../../../src/smb/smb1/transaction.ts'
import { treeConnectRequest, treeConnectResponse } from '../../../../src/smb/smb1/tree-connect.ts'
import { codecContract, decodesOrRefuses } from '../../contract.ts'
import { linesOf } from './recorded.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')
const signed = linesOf('smb1_ntlmssp_signed').map(({ bytes }) => bytes)
const body = (message: Buffer | undefined): Buffer => message!.subarray(32)
const [CREATED, WRITTEN] = [0x01dd78d43c0154dbn, 0x01dd78d43c0154dbn]

// [live] TREE_DISCONNECT of impacket
codecContract(header, hex('ff534d42710000000018014800000000000000000000000094102a1297cd0000'), {
  command: 0x71,
  status: 0,
  flags: 0x18,
  flags2: 0x4801,
  tid: 0x1094,
  pid: 0x122a,
  uid: 0xcd97,
  mid: 0,
})
codecContract(empty, hex('000000'), null)
codecContract(andX, hex('02ff0000000000'), null) // [live] LOGOFF_ANDX of impacket
codecContract(echo, hex('010100010000'), null, { name: 'ECHO' }) // [spec] [MS-CIFS] 2.2.4.39.1

// [peer] Windows XP, frame 7: without extended security
codecContract(
  negotiated,
  // its time zone, 300 minutes, is of interest to nobody
  hex(`110000030a000100041100000000010000000000fde300000e88a2a95102ce012c01082600
    33f729eecc1763054d00530048004f004d004500000056004d00570049004e00580050000000`).fill(0, 32, 34),
  {
    securityMode: 3,
    maxMpxCount: 10,
    maxBufferSize: 4356,
    sessionKey: 0,
    capabilities: 0xe3fd,
    systemTime: 0x01ce0251a9a2880en,
    challenge: hex('33f729eecc176305'),
    securityBlob: Buffer.alloc(0),
    domain: 'MSHOME',
    server: 'VMWINXP',
  },
)

test('the NEGOTIATE answer of Samba has its login token, and no challenge', () => {
  const { securityMode, maxMpxCount, maxBufferSize, challenge, securityBlob } = decode(negotiated, body(signed[1]))
  assert.deepEqual([securityMode, maxMpxCount, maxBufferSize, challenge.length, securityBlob.length], [3, 50, 0x4104, 0, 0x4a])
  decodesOrRefuses(negotiated, Buffer.from(body(signed[1])))
})

const US = { maxBufferSize: 0xffff, maxMpxCount: 2, resetClient: false, sessionKey: 7, capabilities: 0x8000_0054, unicode: true }
// [spec] [MS-SMB] 2.2.4.6.1, VcNumber 1
codecContract(sessionSetupRequest, hex(`0cff000000ffff0200010007000000020000000000540000801b00 aabb 00 55006e00690078000000 6e0062007400720075006e000000`), {
  ...US,
  securityBlob: hex('aabb'),
})
// [spec] [MS-CIFS] 2.2.4.53.1
codecContract(
  rawSessionSetupRequest,
  hex(`0dff000000ffff02000100070000000100020000000000540000802700 11 2233 61006c000000 4c0041000000 55006e00690078000000 6e0062007400720075006e000000`),
  { ...US, oemPassword: hex('11'), unicodePassword: hex('2233'), user: 'al', domain: 'LA' },
)

test('VcNumber is 1 in every session setup, and 0, which ends other sessions of this address, only where that is meant', () => {
  for (const resetClient of [false, true]) {
    const us = { ...US, resetClient }
    const raw = { ...us, oemPassword: hex('11'), unicodePassword: hex('22'), user: 'a', domain: 'b' }
    const both = [encode(sessionSetupRequest, { ...us, securityBlob: hex('aabb') }), encode(rawSessionSetupRequest, raw)] as const
    for (const bytes of both) assert.equal(bytes.readUInt16LE(9), resetClient ? 0 : 1)
    assert.deepEqual([decode(sessionSetupRequest, both[0]).resetClient, decode(rawSessionSetupRequest, both[1])], [resetClient, raw])
  }
})

codecContract(sessionSetupResponse, hex('04ff00000001000200 0200 aabb'), { guest: true, securityBlob: hex('aabb') })
test('a session setup that is granted by NTLM alone has three words', () => {
  // [peer] Windows XP, frame 9
  const answer = hex('03ff0081000100580000570069006e0064006f007700730020003500').fill(0x12, 7, 8)
  assert.deepEqual(decode(sessionSetupResponse, answer), { guest: true, securityBlob: Buffer.alloc(0) })
  assert.equal(decode(sessionSetupResponse, body(signed[5])).securityBlob.length, 0x1d)
})

// [live] smbclient, with our flags
codecContract(treeConnectRequest, Buffer.from(body(signed[12])).fill(0x08, 5, 6), { path: '\\\\127.0.0.1\\DATA', unicode: true })
// [live] impacket, the same in OEM
const OEM_CONNECT = Buffer.from(linesOf('smb1_ntlmssp_unsigned_logoff')[6]!.bytes.subarray(32)).fill(0x08, 5, 6)
codecContract(treeConnectRequest, OEM_CONNECT, { path: '\\\\127.0.0.1\\DATA', unicode: false }, { name: 'SMB1 TREE_CONNECT_ANDX request in OEM' })
codecContract(treeConnectResponse, hex('03ff00000001000300413a00'), { service: 'A:' })
test('TREE_CONNECT_ANDX is answered with three words or with seven', () => {
  assert.equal(decode(treeConnectResponse, body(signed[7])).service, 'IPC')
  assert.equal(decode(treeConnectResponse, body(signed[13])).service, 'A:')
  assert.equal(decode(treeConnectResponse, hex('03ff00360001000d00413a004e005400460053000000')).service, 'A:') // [peer] Windows XP, frame 11
})

// [live] smbclient, which counts and ends the name twice
const CREATE = Buffer.from(body(signed[14])).subarray(0, -2)
CREATE[6] = 0x14
CREATE[49] = 0x17
codecContract(createRequest, CREATE, {
  access: 0x120089,
  attributes: 0,
  shareAccess: SHARE_ACCESS.READ | SHARE_ACCESS.WRITE,
  disposition: DISPOSITION.OPEN,
  options: 0x40,
  name: '\\hello.txt',
  unicode: true,
})
test('NT_CREATE_ANDX: Samba’s answer, in which the words are 34', () => {
  assert.deepEqual(decode(createResponse, body(signed[15])), {
    fid: 0x03b0,
    created: CREATED,
    accessed: 0x01dd78d5a821c285n,
    written: WRITTEN,
    changed: WRITTEN,
    attributes: 0x80,
    allocation: 0x1000,
    size: 6,
    directory: false,
  })
})
const ANSWER = { fid: 5, created: 1n, accessed: 2n, written: 3n, changed: 4n, attributes: 0x10, allocation: 0, size: 0, directory: true }
codecContract(createResponse, encode(createResponse, ANSWER), ANSWER)
codecContract(closeRequest, body(signed[20]), { fid: 0x03b0 })
codecContract(handleRequest, hex('01b0030000'), { handle: 0x03b0 })

// [live] smbclient read 6 bytes; it asks for no more than MinCount, and in its Timeout
codecContract(readRequest, hex('0cff000000b0030100000006000000000000000000020000000000'), { fid: 0x03b0, offset: 0x2_0000_0001, length: 6, wide: true })
codecContract(readRequest, hex('0aff000000b0030100000006000000000000000000 0000'), { fid: 0x03b0, offset: 1, length: 6, wide: false }, { name: 'READ, narrow' })
test('READ_ANDX: Samba’s answer', () => {
  assert.equal(decode(readResponse, body(signed[19])).data.toString(), 'hello\n')
})
codecContract(readResponse, encode(readResponse, { data: hex('010203') }), { data: hex('010203') })
for (const wide of [true, false]) {
  const value = { fid: 1, offset: 3, data: hex('0a0b'), wide }
  codecContract(writeRequest, encode(writeRequest, value), value, { name: `SMB1 WRITE_ANDX request, ${wide ? 14 : 12} words` })
}
test('WRITE_ANDX says where its data lies, from the header on', () => {
  const bytes = encode(writeRequest, { fid: 1, offset: 0x1_0000_0003, data: hex('0a0b'), wide: true })
  assert.equal(bytes.toString('hex'), '0eff000000010003000000000000000000000000000200400001000000030000' + '0a0b')
})
codecContract(writeResponse, hex('06ff0000000500000001000000 0000'), { count: 0x1_0005 })

// [spec] [MS-CIFS] 2.2.4.32.1: the high halves first
codecContract(lockRequest, hex('08ff000000b0031100ffffffff0000010014 00 fffe0000 01000000 02000000 03000000 04000000').fill(0, 17, 19).fill(0x14, 17, 18), {
  fid: 0x03b0,
  pid: 0xfeff,
  offset: 0x1_0000_0002n,
  length: 0x3_0000_0004n,
  kind: 'shared',
  timeout: 0xffff_ffff,
})
codecContract(oplockRelease, hex('08ff000000b003020000000000000000000000'), { fid: 0x03b0 })

// [live] smbclient asked about a file it had open
const QUERY = {
  setup: [7],
  name: '',
  unicode: false,
  parameters: hex('b0030701'),
  data: Buffer.alloc(0),
  maxParameters: 2,
  maxData: 0xffff,
}
test('TRANSACTION2: the recorded request and its answer', () => {
  const request = decode(transactionRequest, body(signed[16]))
  assert.deepEqual(request, { ...QUERY, maxParameters: 2 })
  const { parameters, data, ...rest } = decode(transactionResponse, body(signed[17]))
  assert.deepEqual(rest, { parameterTotal: 2, dataTotal: 0x5c, parametersAt: 0, dataAt: 0 })
  assert.deepEqual([parameters.length, decode(allInfo, data).size], [2, 6])
  decodesOrRefuses(transactionResponse, Buffer.from(body(signed[17])))
})
codecContract(transactionRequest, encode(transactionRequest, QUERY), QUERY, { name: 'SMB1 TRANSACTION2 request' })
const PIPE = { setup: [0x26, 5], name: '\\PIPE\\', unicode: true, parameters: Buffer.alloc(0), data: hex('0500'), maxParameters: 0, maxData: 1024 }
codecContract(transactionRequest, encode(transactionRequest, PIPE), PIPE)
const PART = { parameterTotal: 2, dataTotal: 5, parameters: hex('0102'), parametersAt: 0, data: hex('030405'), dataAt: 2 }
codecContract(transactionResponse, encode(transactionResponse, PART), PART)

test('an answer in several parts is put together, whatever their order, and never beyond its room', () => {
  const room = { maxParameters: 4, maxData: 8 }
  const part = (data: string, dataAt: number, dataTotal = 6) => ({
    ...PART,
    parameters: dataAt === 0 ? PART.parameters : Buffer.alloc(0),
    dataTotal,
    data: hex(data),
    dataAt,
  })
  const gathering = new Gathering(room)
  assert.deepEqual([gathering.add(part('0405', 4)), gathering.add(part('00010203', 0))], [false, true])
  assert.deepEqual(gathering.done(), { parameters: hex('0102'), data: hex('000102030405') })
  for (const bad of [part('00', 0, 9), part('0001', 5), { ...part('', 1), parameters: Buffer.alloc(0) }])
    assert.throws(() => new Gathering(room).add(bad), WireError)
  const twice = new Gathering(room)
  twice.add(part('000102', 0))
  assert.throws(() => twice.add(part('000102', 0)), WireError)
})

codecContract(
  findFirst,
  hex('1600001002000501000000005c00610062002a000000').fill(0x5c, 12, 13),
  { level: 0x0105, pattern: '\\ab*', unicode: true },
  { optional: 10 },
)
codecContract(
  findNext,
  hex('0700001002010000000 00a00 61006200 0000'.replaceAll(' ', '')),
  { sid: 7, level: 0x0102, after: 'ab', unicode: true },
  { optional: 6 },
)
codecContract(found, hex('0700020001000000 0000'), { sid: 7, count: 2, atEnd: true }, { optional: 2 })
codecContract(found, hex('0200000000000000'), { sid: undefined, count: 2, atEnd: false }, { name: 'SMB1 FIND_NEXT2 response' })

test('a listing ends with its count, though Samba’s last entry points on; no entry lies outside', () => {
  const entry = (name: string, next: number): Buffer => {
    const bytes = Buffer.alloc(80 + 2 * name.length)
    bytes.writeUInt32LE(next, 0)
    bytes.writeUInt32LE(0x10, 56)
    bytes.writeUInt32LE(2 * name.length, 60)
    bytes.writeBigUInt64LE(9n, 72)
    bytes.write(name, 80, 'utf16le')
    return bytes
  }
  const data = Buffer.concat([entry('ab', 84), entry('cd', 84)])
  const how = { level: FIND_LEVEL.ID_FULL_DIRECTORY, unicode: true }
  assert.deepEqual(
    entriesOf(data, { ...how, count: 2 }).map(({ name, id, directory }) => [name, id, directory]),
    [
      ['ab', 9n, true],
      ['cd', 9n, true],
    ],
  )
  for (const count of [3, 0xffff]) assert.throws(() => entriesOf(data, { ...how, count }), WireError)
  for (let length = 0; length < data.length; length++) assert.throws(() => entriesOf(data.subarray(0, length), { ...how, count: 2 }), WireError)
  decodesOrRefuses({ name: 'entries', put: () => {}, get: r => entriesOf(r.rest(), { ...how, count: 2 }) }, data)
})

codecContract(pathQuery, hex('0701000000005c0061000000'), { level: 0x0107, path: '\\a', unicode: true }, { optional: 6 })
codecContract(internalInformation, hex('0102030405060708'), 0x0807060504030201n)
const VOLUME = { totalBytes: 1000 * 4096, freeBytes: 10 * 4096, availableBytes: 10 * 4096, unitBytes: 4096 }
codecContract(sizeInfo, encode(sizeInfo, VOLUME), VOLUME)
test('FileRenameInformation names no folder', () => {
  assert.equal(renameInFolder('ab', true, true).toString('hex'), '0100000000000000' + '04000000' + '61006200')
})
codecContract(renameRequest, hex('0116001100 04 5c0061000000 04 00 5c00620063000000'), { from: '\\a', to: '\\bc', unicode: true })
codecContract(deleteDirectoryRequest, hex('000700045c0061000000'), { name: '\\a', unicode: true }) // [spec] [MS-CIFS] 2.2.4.2.1
