import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode, encode, Reader, WireError } from '../../../../src/base/wire.ts'
import { NdrReader } from '../../../../src/smb/rpc/ndr.ts'
import { bind, bindAck, bindNak, fault, NDR32, PFC, request, response } from '../../../../src/smb/rpc/pdu.ts'
import { enumResponse } from '../../../../src/smb/rpc/srvsvc/enumeration.ts'
import { CONNECTION, FILE, SERVER, SESSION, SHARE } from '../../../../src/smb/rpc/srvsvc/levels.ts'
import {
  connectionEnumRequest,
  fileCloseRequest,
  fileEnumRequest,
  serverGetInfoRequest,
  serverGetInfoResponse,
  serverSetInfoRequest,
  serverSetInfoResponse,
  sessionDelRequest,
  sessionEnumRequest,
  shareEnumRequest,
  SRVSVC,
  statusResponse,
} from '../../../../src/smb/rpc/srvsvc/messages.ts'
import { getStructs, type Shape } from '../../../../src/smb/rpc/struct.ts'
import * as V from '../../../vectors/srvsvc.ts'
import { codecContract, decodesOrRefuses } from '../../contract.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex')
const server = '\\\\SRV'
const client = '\\\\10.0.0.9'

codecContract(sessionDelRequest, V.DEL_PAIR, { server, client, user: 'user' })
codecContract(sessionDelRequest, V.DEL_USER, { server, client: null, user: 'user' }, { name: 'NetrSessionDel request without a client' })
for (const [level, bytes] of [
  [0, V.SESSIONS_0],
  [1, V.SESSIONS_1],
  [2, V.SESSIONS_2],
  [10, V.SESSIONS_10],
  [502, V.SESSIONS_502],
] as const)
  codecContract(sessionEnumRequest, bytes, { server, client: null, user: null, level, resume: 0 }, { name: `NetrSessionEnum request, level ${level}` })
codecContract(sessionEnumRequest, V.SESSIONS_OF, { server, client, user: 'user', level: 10, resume: 0 }, { name: 'NetrSessionEnum request of one pair' })
codecContract(connectionEnumRequest, V.CONNECTIONS_1, { server, qualifier: client, level: 1, resume: 0 })
codecContract(shareEnumRequest, V.SHARES_1, { server, level: 1, resume: 0 })
codecContract(shareEnumRequest, V.WINDOWS_SHARES_REQUEST, { server: '\\\\192.168.1.57', level: 1, resume: null }, { name: 'NetrShareEnum request of Windows' })
codecContract(serverGetInfoRequest, V.GET_502, { server, level: 502 })
for (const [disc, bytes] of [
  [0, V.SET_1010_0],
  [15, V.SET_1010_15],
  [0xffff_ffff, V.SET_1010_NEVER],
] as const)
  codecContract(serverSetInfoRequest(1010), bytes, { server, info: { disc }, parmErr: null }, { name: `NetrServerSetInfo request, ${disc} minutes` })
codecContract(
  serverSetInfoRequest(1010),
  Buffer.concat([V.SET_1010_15.subarray(0, 44), hex('0800020000000000')]),
  { server, info: { disc: 15 }, parmErr: 0 },
  { name: 'NetrServerSetInfo request that asks for ParmErr' },
)
codecContract(serverSetInfoResponse, V.SET_RESPONSE, { parmErr: null, status: 0 })
codecContract(serverSetInfoResponse, hex('00000200 04000000 57000000'), { parmErr: 4, status: 87 }, { name: 'NetrServerSetInfo response with ParmErr' })
codecContract(statusResponse, hex('08090000'), 0x908)
// the layout of the requests above, [MS-SRVS] 3.1.4.2 and 3.1.4.4
codecContract(
  fileEnumRequest,
  hex(`00000200 06000000 00000000 06000000 5c005c005300520056000000 00000000 04000200 05000000 00000000 05000000 75007300650072000000 0000
       03000000 03000000 08000200 00000000 00000000 ffffffff 0c000200 00000000`),
  { server, path: null, user: 'user', level: 3, resume: 0 },
)
codecContract(fileCloseRequest, hex('00000200 06000000 00000000 06000000 5c005c005300520056000000 2a000000'), { server, id: 42 })

codecContract(enumResponse('NetrSessionEnum 10', 10, SESSION[10]), V.SESSIONS_10_RESPONSE, {
  entries: [
    { client: '10.0.0.9', user: 'user', seconds: 60, idle: 5 },
    { client: '10.0.0.10', user: 'admin', seconds: 7200, idle: 0 },
  ],
  total: 2,
  resume: 0,
  status: 0,
})
codecContract(enumResponse('NetrSessionEnum 502', 502, SESSION[502]), V.SESSIONS_502_RESPONSE, {
  entries: [{ client: '10.0.0.9', user: 'user', opens: 3, seconds: 60, idle: 5, flags: 0, clientType: 'nbtrun', transport: 'x' }],
  total: 1,
  resume: 0,
  status: 0,
})
codecContract(enumResponse('NetrConnectionEnum', 1, CONNECTION[1]), V.CONNECTIONS_1_RESPONSE, {
  entries: [
    { id: 1, type: 0, opens: 2, users: 1, seconds: 60, user: 'user', name: 'DATA' },
    { id: 2, type: 3, opens: 0, users: 1, seconds: 61, user: 'user', name: 'IPC$' },
  ],
  total: 2,
  resume: 0,
  status: 0,
})
codecContract(enumResponse('NetrShareEnum', 1, SHARE[1]), V.SHARES_1_RESPONSE, {
  entries: [
    { name: 'DATA', type: 0, remark: '' },
    { name: 'IPC$', type: 0x8000_0003, remark: 'Remote IPC' },
  ],
  total: 2,
  resume: 0,
  status: 0,
})
codecContract(
  serverGetInfoResponse(1010),
  hex('f2030000 00000200 0f000000 00000000'),
  { info: { disc: 15 }, status: 0 },
  { name: 'NetrServerGetInfo response, level 1010' },
)
codecContract(
  serverGetInfoResponse(502),
  hex('f6010000 00000000 7c000000'),
  { info: null, status: 124 },
  { name: 'NetrServerGetInfo response that is a refusal' },
)

codecContract(bind, V.BIND, { callId: 1, maxFragment: 4280, abstract: SRVSVC, transfer: NDR32 })
codecContract(request, V.REQUEST_13, { callId: 2, flags: PFC.FIRST | PFC.LAST, hint: 58, opnum: 13, stub: V.DEL_USER })
// laid out by [C706] 12.6.4.4, .5, .7 and .10
codecContract(
  bindAck,
  hex(`05000c03100000004400000001000000 b810b810 01000000 0d00 5c504950455c73727673766300 00 01000000 00000000
       045d888aeb1cc9119fe808002b104860 02000000`),
  {
    callId: 1,
    maxSends: 4280,
    maxTakes: 4280,
    address: '\\PIPE\\srvsvc',
    result: 0,
    reason: 0,
    transfer: NDR32,
  },
)
codecContract(bindNak, hex('05000d03100000001300000001000000 0400 00'), { callId: 1, reason: 4 })
codecContract(response, hex('05000203100000001c000000020000000400000000000000 05000000'), {
  callId: 2,
  flags: PFC.FIRST | PFC.LAST,
  hint: 4,
  stub: hex('05000000'),
})
codecContract(fault, hex('050003031000000020000000020000000000000000000000 0200011c 00000000'), { callId: 2, status: 0x1c01_0002 })

describe('what Windows says decodes, whatever stands in its padding', () => {
  test('four shares', () => {
    const { entries, total, resume, status } = decode(enumResponse('NetrShareEnum', 1, SHARE[1]), V.WINDOWS_SHARES_RESPONSE)
    assert.deepEqual(
      entries.map(({ name, type, remark }) => [name, type, remark]),
      [
        ['C$', 0x8000_0000, 'Default share'],
        ['Shared', 0, ''],
        ['IPC$', 0x8000_0003, 'Remote IPC'],
        ['ADMIN$', 0x8000_0000, 'Remote Admin'],
      ],
    )
    assert.deepEqual([total, resume, status], [4, null, 0])
    decodesOrRefuses(enumResponse('NetrShareEnum', 1, SHARE[1]), V.WINDOWS_SHARES_RESPONSE)
  })
  test('its version', () => {
    const { info, status } = decode(serverGetInfoResponse(101), V.WINDOWS_SERVER_101)
    assert.deepEqual([info, status], [{ platform: 500, name: '192.168.1.57', major: 5, minor: 2, type: 0x849003, comment: '' }, 0])
  })
  test('ten shares with any referent ids', () => {
    const ndr = new NdrReader(new Reader(V.SHARE_CONTAINER))
    assert.deepEqual([ndr.u32(), ndr.pointer(), ndr.u32()].slice(0, 2), [10, true])
    const shares = getStructs(new NdrReader(ndr.r), SHARE[1], 10)
    assert.deepEqual(
      shares.map(({ name }) => name),
      ['ADMIN$', 'C', 'C$', 'DFS-Standalone', 'Encrypted', 'IPC$', 'NFS', 'Scratch', 'Share', 'Users'],
    )
  })
})

test('every level comes back as it was said', () => {
  const sample = (shape: Shape): Record<string, string | number> =>
    Object.fromEntries(Object.entries(shape).map(([field, kind], i) => [field, kind === 'u32' ? i + 1 : `${field} ö`]))
  for (const family of [SESSION, CONNECTION, FILE, SHARE])
    for (const [level, shape] of Object.entries(family)) {
      const codec = enumResponse<Shape>(`level ${level}`, Number(level), shape)
      const entries = [sample(shape), sample(shape)] as never
      const value = { entries, total: 2, resume: null, status: 234 }
      assert.deepEqual(decode(codec, encode(codec, value)), value)
    }
  for (const level of [101, 102, 502, 1010] as const) {
    const codec = serverGetInfoResponse<typeof level>(level)
    const value = { info: sample(SERVER[level]), status: 0 } as never
    assert.deepEqual(decode(codec, encode(codec, value)), value)
  }
})

test('an answer at another level than it was asked for is none at this one: impacket answers at what it has', () => {
  const bytes = Buffer.from(V.SHARES_1_RESPONSE)
  const { entries, status } = decode(enumResponse('NetrShareEnum', 2, SHARE[2]), bytes)
  assert.deepEqual([entries, status], [[], 124])
  const { info, status: refused } = decode(serverGetInfoResponse(102), V.WINDOWS_SERVER_101)
  assert.deepEqual([info, refused], [null, 124])
})

describe('a lie about lengths', () => {
  const codec = enumResponse('NetrSessionEnum', 10, SESSION[10])
  const told = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(V.SESSIONS_10_RESPONSE)
    change(bytes)
    return bytes
  }
  const lies: Record<string, (bytes: Buffer) => void> = {
    'four thousand million entries': bytes => {
      bytes.writeUInt32LE(0xffff_ffff, 12)
      bytes.writeUInt32LE(0xffff_ffff, 20)
    },
    'an array of another size than its count': bytes => void bytes.writeUInt32LE(3, 20),
    'another level': bytes => void bytes.writeUInt32LE(502, 0),
    'another level of the union': bytes => void bytes.writeUInt32LE(502, 4),
    'a string of four thousand million characters': bytes => {
      bytes.writeUInt32LE(0xffff_ffff, 56)
      bytes.writeUInt32LE(0xffff_ffff, 64)
    },
    'a string that begins behind its beginning': bytes => void bytes.writeUInt32LE(1, 60),
    'a string longer than its array': bytes => void bytes.writeUInt32LE(10, 64),
    'entries without a pointer to them': bytes => void bytes.writeUInt32LE(0, 16),
  }
  for (const [lie, change] of Object.entries(lies))
    test(`${lie} is refused`, () => {
      assert.throws(() => decode(codec, told(change)), WireError)
    })
})

test('a fragment that is signed, of another version, or big-endian is refused', () => {
  const bytes = Buffer.from(V.REQUEST_13)
  for (const [at, value] of [
    [0, 4],
    [1, 2],
    [4, 0],
    [10, 8],
    [8, 15],
  ] as const) {
    const told = Buffer.from(bytes)
    told[at] = value
    if (at === 8) told[9] = 0
    assert.throws(() => decode(request, told), WireError, `byte ${at}`)
  }
})
