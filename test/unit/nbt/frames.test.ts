import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireError } from '../../../src/base/wire.ts'
import { type FrameKind, Framer, messageHeader } from '../../../src/nbt/frames.ts'

function framer(kind: FrameKind): { push(chunk: Buffer): void; frames: Buffer[]; readonly partial: boolean } {
  const frames: Buffer[] = []
  const made = new Framer(kind, frame => frames.push(frame))
  return {
    push: chunk => made.push(chunk),
    frames,
    get partial() {
      return made.partial
    },
  }
}

const KEEPALIVE = Buffer.from('85000000', 'hex')
const message = (text: string): Buffer => Buffer.concat([messageHeader('tcp', text.length)!, Buffer.from(text)])
const STREAM = Buffer.concat([KEEPALIVE, message('first'), KEEPALIVE, KEEPALIVE, message(''), message('second'), KEEPALIVE])

test('frames split at every two positions are put together, keepalives dropped', () => {
  for (let a = 0; a <= STREAM.length; a++) {
    for (let b = a; b <= STREAM.length; b++) {
      const f = framer('nbt')
      for (const part of [STREAM.subarray(0, a), STREAM.subarray(a, b), STREAM.subarray(b)]) f.push(Buffer.from(part))
      assert.deepEqual(f.frames.map(String), ['first', '', 'second'], `${a}, ${b}`)
    }
  }
})

test('frames arrive byte by byte', () => {
  const f = framer('tcp')
  for (const byte of STREAM) f.push(Buffer.from([byte]))
  assert.deepEqual(f.frames.map(String), ['first', '', 'second'])
  assert.equal(f.partial, false)
})

test('a begun message is told apart from silence between messages', () => {
  const f = framer('tcp')
  for (const [chunk, partial] of [
    ['00', true],
    ['000002', true],
    ['aa', true],
    ['bb', false],
    ['8500', true],
    ['0000', false],
  ] as const) {
    f.push(Buffer.from(chunk, 'hex'))
    assert.equal(f.partial, partial)
  }
})

test('a frame outlives the chunks it came in', () => {
  const f = framer('tcp')
  const chunks = [STREAM.subarray(0, 10), STREAM.subarray(10)].map(chunk => Buffer.from(chunk))
  f.push(chunks[0]!)
  chunks[0]!.fill(0)
  f.push(chunks[1]!)
  assert.equal(String(f.frames[0]), 'first')
})

test('each port has its longest message', () => {
  assert.equal(messageHeader('tcp', 0xff_ffff)?.toString('hex'), '00ffffff')
  assert.equal(messageHeader('tcp', 0x100_0000), undefined)
  assert.equal(messageHeader('nbt', 131071)?.toString('hex'), '0001ffff')
  assert.equal(messageHeader('nbt', 131072), undefined)

  const tcp = framer('tcp')
  tcp.push(Buffer.from('00ffffff', 'hex'))
  for (let sent = 0; sent < 0xff_ffff; sent += 0x10_0000) tcp.push(Buffer.alloc(Math.min(0x10_0000, 0xff_ffff - sent)))
  assert.equal(tcp.frames[0]?.length, 0xff_ffff)
  const nbt = framer('nbt')
  nbt.push(Buffer.concat([Buffer.from('0001ffff', 'hex'), Buffer.alloc(131071)]))
  assert.equal(nbt.frames[0]?.length, 131071)
})

test('what is no message and no keepalive is refused', () => {
  for (const header of ['00020000', '00ffffff', '80000000', '81000044', '82000000', '85000001', '85010000', 'ff534d42']) {
    assert.throws(() => framer('nbt').push(Buffer.from(header, 'hex')), WireError, `nbt ${header}`)
  }
  for (const header of ['01000000', '82000000', '85000001', 'fe534d42', '48545450']) {
    assert.throws(() => framer('tcp').push(Buffer.from(header, 'hex')), WireError, `tcp ${header}`)
  }
})
