import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MESSAGE_LENGTH } from '../../../../src/mapping/fuse/device.ts'
import { FrameReader, markAsking, takeAsking, type Word, wordFrame, wordOf } from '../../../../src/mapping/fuse/relay-frames.ts'

function frame(length: number, fill = 1): Buffer {
  const made = Buffer.alloc(length, fill)
  made.writeUInt32LE(length)
  return made
}

function read(chunks: Iterable<Buffer>): Buffer[] {
  const frames: Buffer[] = []
  const reader = new FrameReader(each => frames.push(Buffer.from(each)))
  for (const chunk of chunks) reader.push(chunk)
  return frames
}

test('frames come out as they went in, however the stream is cut', () => {
  const sent = [frame(16), frame(40, 2), wordFrame('taken', 77), frame(100_000, 3), frame(20, 4), frame(MESSAGE_LENGTH, 5)]
  const stream = Buffer.concat(sent)
  for (const size of [stream.length, 65_536, 4097, 7, 3])
    assert.deepEqual(
      read(Array.from({ length: Math.ceil(stream.length / size) }, (_, i) => stream.subarray(i * size, (i + 1) * size))),
      sent,
      `cut every ${size} bytes`,
    )
})

test('a length that no message has ends the reading, before anything is allocated', () => {
  for (const length of [0, 15, MESSAGE_LENGTH + 1, 0x7fffffff]) {
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32LE(length)
    assert.throws(() => read([bytes]), { code: 'WIRE' }, `${length}`)
    assert.throws(() => read([bytes.subarray(0, 2), bytes.subarray(2)]), { code: 'WIRE' }, `${length} in two parts`)
  }
})

test('a mark on a reply is taken off again, and does not change its length for the reader', () => {
  const reply = frame(300)
  assert.equal(takeAsking(reply), false)
  markAsking(reply)
  const [got] = read([reply])
  assert.equal(takeAsking(got!), true)
  assert.deepEqual(got, frame(300))
})

test('a relay’s words are told from the kernel’s requests', () => {
  const words: readonly Word[] = [
    { what: 'taken', value: 2 ** 40 },
    { what: 'gone', value: 1 },
    { what: 'refused', value: 1_048_592 },
    { what: 'end', value: 0 },
  ]
  for (const word of words) assert.deepEqual(wordOf(wordFrame(word.what, word.value)), word)
  assert.equal(wordOf(frame(40)), undefined)
})
