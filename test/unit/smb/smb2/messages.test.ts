// Bytes: [peer] jborean93/smbprotocol tests/test_*.py unless another source is named.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode, WireError } from '../../../../src/base/wire.ts'
import { ACCESS } from '../../../../src/smb/access.ts'
import { createRequest, createResponse, onDiskId, QUERY_ON_DISK_ID } from '../../../../src/smb/smb2/create.ts'
import { bufferResponse, queryDirectoryRequest, queryInfoRequest, setInfoRequest, setInfoResponse } from '../../../../src/smb/smb2/info.ts'
import {
  closeRequest,
  closeResponse,
  flushRequest,
  LOCK_FLAG,
  lockRequest,
  readRequest,
  readResponse,
  writeRequest,
  writeResponse,
} from '../../../../src/smb/smb2/io.ts'
import { header } from '../../../../src/smb/smb2/header.ts'
import { negotiateRequest, negotiateResponse } from '../../../../src/smb/smb2/negotiate.ts'
import { sessionSetupRequest, sessionSetupResponse } from '../../../../src/smb/smb2/session-setup.ts'
import { transformHeader } from '../../../../src/smb/smb2/transform.ts'
import { empty, treeConnectRequest, treeConnectResponse } from '../../../../src/smb/smb2/tree-connect.ts'
import { codecContract } from '../../contract.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')
const FF = Buffer.alloc(16, 0xff)

// [doc] MS-SMB2 4.7, Disconnecting a Share and Logging Off
codecContract(
  header,
  hex(`fe534d42400000000000000004006f0000000000000000002000000000000000
       0000000001000000150000000004000000000000000000000000000000000000`),
  { charge: 0, status: 0, command: 4, credits: 0x6f, flags: 0, next: 0, messageId: 32, asyncId: 0n, treeId: 1, sessionId: 0x40000000015n },
)
// an interim answer: READ, STATUS_PENDING, ASYNC
codecContract(
  header,
  hex(`fe534d4240000100030100000800010003000000000000000700000000000000
       1500000000000000d9e844e90000000000000000000000000000000000000000`),
  { charge: 1, status: 0x103, command: 8, credits: 1, flags: 3, next: 0, messageId: 7, asyncId: 0x15n, treeId: 0, sessionId: 0xe944e8d9n },
  { name: 'SMB2 ASYNC header' },
)

// [doc] Microsoft, "encryption in SMB 3.0": the request; the nonce bytes that CCM does not use are not zero
codecContract(transformHeader, hex('fd534d4281a286535415445dae393921e44fa42e66e69a111892584fb5ed524a744da3ee87000000000001001100001400e40800'), {
  signature: hex('81a286535415445dae393921e44fa42e'),
  nonce: hex('66e69a111892584fb5ed524a744da3ee'),
  size: 135,
  sessionId: 0x8e40014000011n,
})

codecContract(negotiateRequest, hex('24000400010000000a0000003333333333333333333333333333333300000000000000000202100200030203'), {
  securityMode: 1,
  capabilities: 10,
  clientGuid: Buffer.alloc(16, 0x33),
  dialects: [0x202, 0x210, 0x300, 0x302],
  contexts: [],
})
codecContract(
  negotiateRequest,
  hex(`24000500010000000a000000333333333333333333333333333333337000000002000000020210020003020311030000020004000000000001000200000000000500080000
       000000630061006600e900`),
  {
    securityMode: 1,
    capabilities: 10,
    clientGuid: Buffer.alloc(16, 0x33),
    dialects: [0x202, 0x210, 0x300, 0x302, 0x311],
    contexts: [
      { type: 2, data: hex('01000200') },
      { type: 5, data: Buffer.from('café', 'utf16le') },
    ],
  },
  { name: 'SMB2 NEGOTIATE request with contexts' },
)
codecContract(
  negotiateResponse,
  hex(`4100010011030100111111111111111111111111111111112700000000008000000080000000800020c50d61055ed3017cbbcab6045ed30180000a009000000001020304
       050607080910000000000000010026000000000001002000010022222222222222222222222222222222222222222222222222222222222222220000`).subarray(0, -2),
  {
    securityMode: 1,
    dialect: 0x311,
    serverGuid: Buffer.alloc(16, 0x11),
    capabilities: 0x27,
    maxTransactSize: 0x800000,
    maxReadSize: 0x800000,
    maxWriteSize: 0x800000,
    systemTime: 0x1d35e05610dc520n,
    serverStartTime: 0x1d35e04b6cabb7cn,
    securityBuffer: hex('01020304050607080910'),
    contexts: [{ type: 1, data: hex(`010020000100${'22'.repeat(32)}`) }],
  },
)
codecContract(sessionSetupRequest, hex('19000001000000000000000058000400000000000000000001020304'), {
  flags: 0,
  securityMode: 1,
  capabilities: 0,
  previousSessionId: 0n,
  securityBuffer: hex('01020304'),
})
codecContract(sessionSetupResponse, hex('090001004800040004030201'), { sessionFlags: 1, securityBuffer: hex('04030201') })
codecContract(treeConnectRequest, hex('0900020048001c005c005c003100320037002e0030002e0030002e0031005c0063002400'), { flags: 2, path: '\\\\127.0.0.1\\c$' })
codecContract(treeConnectResponse, hex('1000010002000000080000000a000000'), { shareType: 1, shareFlags: 2, capabilities: 8, maximalAccess: 10 })
codecContract(empty, hex('04000000'), null)
codecContract(closeRequest, hex('180000000000000000000000000000000000000000000000'.slice(0, 16) + 'ff'.repeat(16)), { fileId: FF })
codecContract(closeResponse, hex(`3c00${'00'.repeat(58)}`), null)
codecContract(flushRequest, hex(`1800000000000000${'ff'.repeat(16)}`), { fileId: FF })
codecContract(
  readRequest,
  hex(`31005000000400000000000000000000${'ff'.repeat(16)}0000000000000000000000000000000000`),
  { length: 0x400, offset: 0, fileId: FF },
  { optional: 17 },
)
codecContract(readResponse, hex('1100500004000000000000000000000001020304'), { data: hex('01020304') })
codecContract(writeRequest, hex(`31007000040000000000020000000000${'ff'.repeat(16)}0000000000000000000000000000000001020304`), {
  offset: 0x20000,
  fileId: FF,
  data: hex('01020304'),
})
codecContract(writeResponse, hex('11000000b8e200000000000000000000'), { count: 0xe2b8 })
codecContract(lockRequest, hex(`3000010000000000${'ff'.repeat(16)}1111111111111111ffffffffffffffff0200000000000000`), {
  fileId: FF,
  offset: 0x1111111111111111n,
  length: 0xffffffffffffffffn,
  flags: LOCK_FLAG.EXCLUSIVE,
})
codecContract(queryDirectoryRequest, hex('21000c0000000000b673e4650000000068bda1ce0000000060000200000001002a00'), {
  infoClass: 12,
  flags: 0,
  fileId: hex('b673e4650000000068bda1ce00000000'),
  maxLength: 0x10000,
  pattern: '*',
})
codecContract(bufferResponse, hex('090048000400000001020304'), { data: hex('01020304') })
codecContract(setInfoRequest, hex(`21000101040000006000000000000000${'ff'.repeat(16)}01020304`), {
  infoType: 1,
  infoClass: 1,
  fileId: FF,
  data: hex('01020304'),
})
codecContract(setInfoResponse, hex('0200'), null)
codecContract(queryInfoRequest, hex(`29000112000400000000000000000000000000000000000000${''}`.slice(0, 48) + 'ff'.repeat(16)), {
  infoType: 1,
  infoClass: 18,
  maxLength: 1024,
  fileId: FF,
})

// [live] Samba 4.17, P.smb311_signed_gmac: CREATE of hello.txt and its answer
const HELLO_ID = hex('577414610000000005063cc000000000')
codecContract(
  createResponse,
  hex(`5900000001000000db54013cd478dd0185c221a8d578dd01db54013cd478dd01db54013cd478dd01001000000000000006000000000000008000000000000000
       577414610000000005063cc0000000000000000000000000`),
  {
    oplockLevel: 0,
    createAction: 1,
    created: 0x1dd78d43c0154dbn,
    accessed: 0x1dd78d5a821c285n,
    written: 0x1dd78d43c0154dbn,
    changed: 0x1dd78d43c0154dbn,
    allocation: 4096,
    size: 6,
    attributes: 0x80,
    fileId: HELLO_ID,
    contexts: [],
  },
)
const opening = { access: ACCESS.READ_ATTRIBUTES, attributes: 0x80, shareAccess: 7, disposition: 1, options: 0, name: 'café', contexts: [QUERY_ON_DISK_ID] }
codecContract(
  createRequest,
  hex(`3900000002000000000000000000000000000000000000008000000080000000070000000100000000000000780008008000000018000000630061006600e900
       00000000100004000000000000000000514669640000000${'0'}`),
  opening,
)

test('a QFid answer gives the file’s id on disk', () => {
  // SMB2CreateContextName.get_context_data_known
  const data = hex('ed5a0000000099003050d7d80482ffff00000000000000000000000000000000')
  assert.equal(onDiskId([{ name: 'QFid', data }]), 0x99000000005aedn)
  assert.equal(onDiskId([]), 0n)
})

test('a chain of create contexts that turns back is refused', () => {
  const bytes = encode(createRequest, { ...opening, contexts: [QUERY_ON_DISK_ID, QUERY_ON_DISK_ID] })
  assert.deepEqual(
    decode(createRequest, bytes).contexts.map(c => c.name),
    ['QFid', 'QFid'],
  )
  const first = bytes.indexOf('QFid') - 16
  bytes.writeUInt32LE(8, first)
  assert.throws(() => decode(createRequest, bytes), WireError)
})

test('negotiate contexts without number stop at the end of the message', () => {
  const bytes = hex('24000500010000000a0000003333333333333333333333333333333370000000ffff0000020210020003020311030000020004000000000001000200')
  assert.throws(() => decode(negotiateRequest, bytes), WireError)
})
