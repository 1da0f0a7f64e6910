import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as attributes from '../../../../src/mapping/fuse/protocol/attributes.ts'
import * as dirent from '../../../../src/mapping/fuse/protocol/dirent.ts'
import * as header from '../../../../src/mapping/fuse/protocol/header.ts'
import * as init from '../../../../src/mapping/fuse/protocol/init.ts'
import * as io from '../../../../src/mapping/fuse/protocol/io.ts'
import * as names from '../../../../src/mapping/fuse/protocol/names.ts'
import * as requests from '../../../../src/mapping/fuse/protocol/requests.ts'
import { decode } from '../../../../src/base/wire.ts'
import { codecContract } from '../../contract.ts'

// The bytes are what gcc lays out for the structures of <linux/fuse.h>, 7.38, on x86-64.
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const ATTRIBUTES = {
  ino: 0xfedc_ba98_7654_3210n,
  size: 5_000_000_000,
  blocks: 9_765_632,
  accessed: { seconds: 1_700_000_001n, nanoseconds: 100 },
  modified: { seconds: 1_700_000_002n, nanoseconds: 200 },
  changed: { seconds: (1n << 64n) - 3n, nanoseconds: 300 },
  mode: 0o100755,
  links: 1,
  uid: 1000,
  gid: 100,
  blockSize: 1 << 20,
}
const ENTRY = { nodeId: 9, attributes: ATTRIBUTES }
const OWNER = 0x8877_6655_4433_2211n
const LOCK = { start: 10n, end: (1n << 63n) - 1n, type: 1, pid: 4711 }
const DIRENT = { ino: 42n, offset: 3, type: 8, name: Buffer.from('a.txt') }

codecContract(header.requestHeader, hex('380000000300000055443322110000000700000000000000e8030000640000006712000000000000'), {
  length: 56,
  opcode: 3,
  unique: 0x11_2233_4455,
  nodeId: 7,
  uid: 1000,
  gid: 100,
  pid: 4711,
})
codecContract(header.replyHeader, hex('10000000feffffff5544332211000000'), { length: 16, error: 2, unique: 0x11_2233_4455 })
codecContract(
  init.initRequest,
  hex('070000002800000000000200fbffff731f0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000'),
  { major: 7, minor: 40, maxReadahead: 0x20000, flags: 0x73ff_fffb, flags2: 0x1f },
)
codecContract(
  init.initReply,
  hex('07000000280000000000020002004000400030000000100064000000000100001000000000000000000000000000000000000000000000000000000000000000'),
  {
    major: 7,
    minor: 40,
    maxReadahead: 0x20000,
    flags: (1 << 22) | 2,
    maxBackground: 64,
    congestionThreshold: 48,
    maxWrite: 1 << 20,
    timeGranularity: 100,
    maxPages: 256,
    flags2: 16,
  },
)
codecContract(
  attributes.attributes,
  hex(
    '1032547698badcfe00f2052a01000000000395000000000001f153650000000002f1536500000000fdffffffffffffff64000000c80000002c010000ed810000' +
      '01000000e803000064000000000000000000100000000000',
  ),
  ATTRIBUTES,
)
codecContract(
  attributes.attributesReply,
  hex(
    '000000000000000000000000000000001032547698badcfe00f2052a01000000000395000000000001f153650000000002f1536500000000fdffffffffffffff' +
      '64000000c80000002c010000ed81000001000000e803000064000000000000000000100000000000',
  ),
  ATTRIBUTES,
)
codecContract(
  attributes.entryReply,
  hex(
    '090000000000000000000000000000000000000000000000000000000000000000000000000000001032547698badcfe00f2052a010000000003950000000000' +
      '01f153650000000002f1536500000000fdffffffffffffff64000000c80000002c010000ed81000001000000e803000064000000000000000000100000000000',
  ),
  ENTRY,
)
codecContract(
  attributes.statfsReply,
  hex(
    '40420f0000000000a0bb0d000000000000350c00000000000000000000000000000000000000000000100000ff00000000100000000000000000000000000000' +
      '00000000000000000000000000000000',
  ),
  { blocks: 1_000_000, free: 900_000, available: 800_000, blockSize: 4096 },
)
codecContract(names.nameRequest, hex('61206200'), Buffer.from('a b'))
codecContract(names.mknodRequest, hex('a48100000000000000000000000000007069706500'), { mode: 0o100644, name: Buffer.from('pipe') })
codecContract(names.mkdirRequest, hex('000000000000000064697200'), Buffer.from('dir'))
codecContract(names.createRequest, hex('41000000a481000000000000000000006e657700'), { flags: 0o101, mode: 0o100644, name: Buffer.from('new') })
codecContract(names.renameRequest, hex('03000000000000006f6c64006e657700'), { newParent: 3, flags: 0, from: Buffer.from('old'), to: Buffer.from('new') })
codecContract(names.rename2Request, hex('030000000000000001000000000000006f6c64006e657700'), {
  newParent: 3,
  flags: 1,
  from: Buffer.from('old'),
  to: Buffer.from('new'),
})
codecContract(io.openRequest, hex('0280000000000000'), 0x8002)
codecContract(io.openReply, hex('0c000000000000000100000000000000'), { fh: 12, flags: 1 })
codecContract(
  io.createReply,
  hex(
    '090000000000000000000000000000000000000000000000000000000000000000000000000000001032547698badcfe00f2052a010000000003950000000000' +
      '01f153650000000002f1536500000000fdffffffffffffff64000000c80000002c010000ed81000001000000e803000064000000000000000000100000000000' +
      '0c000000000000000100000000000000',
  ),
  { entry: ENTRY, open: { fh: 12, flags: 1 } },
)
codecContract(io.readRequest, hex('0c0000000000000000bca06501000000000002000000000000000000000000000000000000000000'), {
  fh: 12,
  offset: 6_000_000_000,
  size: 131_072,
})
codecContract(io.writeRequest, hex('0c0000000000000000bca0650100000005000000010000000000000000000000010400000000000068656c6c6f'), {
  fh: 12,
  offset: 6_000_000_000,
  writeFlags: 1,
  flags: 0x401,
  data: Buffer.from('hello'),
})
codecContract(io.writeReply, hex('0500000000000000'), 5)
codecContract(io.flushRequest, hex('0c0000000000000000000000000000001122334455667788'), { fh: 12, owner: OWNER })
codecContract(io.releaseRequest, hex('0c0000000000000000000000020000001122334455667788'), { fh: 12, flags: 2, owner: OWNER })
codecContract(io.fsyncRequest, hex('0c000000000000000000000000000000'), 12)
codecContract(requests.getattrRequest, hex('01000000000000000c00000000000000'), { flags: 1, fh: 12 })
codecContract(
  requests.setattrRequest,
  hex(
    '69000000000000000c0000000000000000f2052a010000000000000000000000010000000000000002f153650000000000000000000000000200000003000000' +
      '000000002481000000000000e80300006400000000000000',
  ),
  {
    valid: 105,
    fh: 12,
    size: 5_000_000_000,
    accessed: { seconds: 1n, nanoseconds: 2 },
    modified: { seconds: 1_700_000_002n, nanoseconds: 3 },
    mode: 0o100444,
    uid: 1000,
    gid: 100,
  },
)
codecContract(requests.accessRequest, hex('0200000000000000'), 2)
codecContract(requests.interruptRequest, hex('5544332211000000'), 0x11_2233_4455)
codecContract(requests.forgetRequest, hex('0300000000000000'), 3)
codecContract(requests.batchForgetRequest, hex('02000000000000000500000000000000010000000000000006000000000000000200000000000000'), [
  { nodeId: 5, lookups: 1 },
  { nodeId: 6, lookups: 2 },
])
codecContract(requests.lockReply, hex('0a00000000000000ffffffffffffff7f0100000067120000'), LOCK)
codecContract(requests.lockRequest, hex('0c0000000000000011223344556677880a00000000000000ffffffffffffff7f01000000671200000100000000000000'), {
  fh: 12,
  owner: OWNER,
  lock: LOCK,
  flags: 1,
})
codecContract(dirent.dirent, hex('2a0000000000000003000000000000000500000008000000612e747874000000'), DIRENT)
codecContract(
  dirent.direntPlus,
  hex(
    '090000000000000000000000000000000000000000000000000000000000000000000000000000001032547698badcfe00f2052a010000000003950000000000' +
      '01f153650000000002f1536500000000fdffffffffffffff64000000c80000002c010000ed81000001000000e803000064000000000000000000100000000000' +
      '2a0000000000000003000000000000000500000008000000612e747874000000',
  ),
  { entry: ENTRY, dirent: DIRENT },
)

test('an INIT of a kernel before 7.36 ends after its flags', () => {
  const short = hex('07000000230000000000020001000000')
  assert.deepEqual(decode(init.initRequest, short), { major: 7, minor: 35, maxReadahead: 0x20000, flags: 1, flags2: 0 })
})

test('every codec of the protocol is under the contract', () => {
  const exported = [attributes, dirent, header, init, io, names, requests].flatMap(module => Object.values(module)).filter(value => typeof value === 'object')
  assert.equal(exported.length, 33)
})
