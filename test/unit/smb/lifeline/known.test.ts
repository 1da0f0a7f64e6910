import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import type { FileInfo } from '../../../../src/smb/files.ts'
import { type Gap, Known } from '../../../../src/smb/lifeline/known.ts'

const HOUR = 3_600_000
const SECOND = 1000
/** The server's clock is a day behind ours. */
const filetime = (local: number): bigint => BigInt(local - 24 * HOUR) * 10_000n + 116_444_736_000_000_000n

const START = 1_800_000_000_000
const info = (over: Partial<FileInfo> = {}): FileInfo => ({
  id: 7n,
  size: 100,
  allocation: 4096,
  attributes: 0x20,
  directory: false,
  created: filetime(START - HOUR),
  accessed: 0n,
  written: filetime(START - HOUR),
  changed: filetime(START - HOUR),
  ...over,
})
const gap = (lostAt: number, since: number): Gap => ({ lostAt, since, clock: { server: filetime(since), local: since } })
/** Lost an hour after the start, set up anew two hours after it. */
const later = gap(START + HOUR, START + 2 * HOUR)

/** What is known, with a clock in hand. */
function known(play: (file: Known, at: (local: number) => void) => void, over: Partial<FileInfo> = {}, isNew = false): Known {
  mock.timers.enable({ apis: ['Date'], now: START })
  try {
    const file = new Known(info(over), isNew)
    play(file, local => mock.timers.setTime(local))
    return file
  } finally {
    mock.timers.reset()
  }
}

describe('what is known of an open file', () => {
  test('untouched: id, size and all times must be the same', () => {
    const file = known(() => {})
    assert.equal(file.difference(info(), later), undefined)
    assert.equal(file.difference(info({ accessed: 5n, allocation: 8192 }), later), undefined)
    assert.match(file.difference(info({ id: 8n }), later) ?? '', /another file/)
    assert.match(file.difference(info({ directory: true }), later) ?? '', /another file/)
    assert.match(file.difference(info({ created: 1n, changed: filetime(START) }), later) ?? '', /another file/)
    assert.match(file.difference(info({ size: 101 }), later) ?? '', /size is 101 now, not 100/)
    assert.match(file.difference(info({ size: 99 }), later) ?? '', /size/)
    assert.match(file.difference(info({ written: filetime(START) }), later) ?? '', /written/)
    assert.match(file.difference(info({ changed: filetime(START) }), later) ?? '', /written/)
  })

  test('read by somebody: a server that makes the creation time up has another one then; one without a change time has nothing else to tell a file by', () => {
    const file = known(() => {})
    assert.equal(file.difference(info({ created: filetime(START - SECOND) }), later), undefined)
    const changeless = known(() => {}, { changed: 0n })
    assert.equal(changeless.difference(info({ changed: 0n }), later), undefined)
    assert.match(changeless.difference(info({ changed: 0n, created: 1n }), later) ?? '', /another file/)
  })

  test('a directory need only be the same one', () => {
    const folder = known(() => {}, { directory: true })
    assert.equal(folder.difference(info({ directory: true, written: filetime(START), created: 1n }), later), undefined)
    assert.match(folder.difference(info({ directory: true, id: 8n }), later) ?? '', /another/)
  })

  test('our own writes account for size and time, and for no more', () => {
    const file = known((f, at) => {
      at(START + 60 * SECOND)
      f.writing(150)
      f.written(150, true)
      f.writing(20)
      f.written(20, true)
    })
    const stamped = (local: number, size = 150): string | undefined =>
      file.difference(info({ size, written: filetime(local), changed: filetime(local) }), later)
    assert.equal(stamped(START + 62 * SECOND), undefined, 'at the write, or 2 s later')
    assert.equal(stamped(START + HOUR + SECOND), undefined, 'when the server lost the connection')
    assert.equal(stamped(START + 2 * HOUR + SECOND), undefined, 'when it closed the old session for the new one')
    assert.equal(stamped(START - HOUR), undefined, 'not stamped yet')
    assert.match(stamped(START + 0.5 * HOUR) ?? '', /written/, 'somebody else, before the loss')
    assert.match(stamped(START + 1.5 * HOUR) ?? '', /written/, 'somebody else, while it was lost')
    assert.match(stamped(START - 2 * HOUR) ?? '', /written/, 'an older file')
    for (const size of [100, 149, 151]) assert.match(stamped(START + 60 * SECOND, size) ?? '', /size/)
  })

  test('what was under way may have been done or not; acknowledged bytes are there', () => {
    const file = known(f => {
      f.writing(150)
      f.writing(300)
      f.written(150, true)
    })
    const sized = (size: number): string | undefined => file.difference(info({ size, written: filetime(START) }), later)
    for (const size of [150, 200, 300]) assert.equal(sized(size), undefined)
    for (const size of [100, 149, 301]) assert.match(sized(size) ?? '', /size/)
  })

  test('writes that overlap without end still make acknowledged bytes certain', () => {
    const file = known(f => {
      f.writing(110)
      for (let end = 120; end <= 200; end += 10) {
        f.writing(end)
        f.written(end - 10, true)
      }
    })
    assert.match(file.difference(info({ size: 150 }), later) ?? '', /size/)
    assert.equal(file.difference(info({ size: 190 }), later), undefined)
  })

  test('a failed write leaves open how far it came, until the server is asked', () => {
    const play = (f: Known): void => {
      f.writing(300)
      f.written(300, false)
    }
    const sized = (file: Known, size: number): string | undefined => file.difference(info({ size, written: filetime(START) }), later)
    assert.deepEqual(
      [100, 200, 300].map(size => sized(known(play), size)),
      [undefined, undefined, undefined],
    )
    const asked = known(f => {
      play(f)
      f.learn(info({ size: 200 }), f.asOf)
    })
    assert.equal(sized(asked, 200), undefined)
    assert.match(sized(asked, 300) ?? '', /size/)
  })

  test('truncation: done, or under way', () => {
    const cut = known(f => {
      f.truncating(40)
      f.truncated(40, true)
    })
    assert.equal(cut.difference(info({ size: 40, written: filetime(START) }), later), undefined)
    assert.match(cut.difference(info({ size: 100, written: filetime(START) }), later) ?? '', /size/)
    const cutting = known(f => f.truncating(40))
    for (const size of [40, 100]) assert.equal(cutting.difference(info({ size, written: filetime(START) }), later), undefined)
  })

  test('what the server said last counts, unless the file was changed here meanwhile', () => {
    const told = info({ size: 120, written: filetime(START), changed: filetime(START) })
    assert.equal(known(f => f.learn(told, f.asOf)).difference(told, later), undefined)
    const late = known(f => {
      const { asOf } = f
      f.writing(110)
      f.written(110, true)
      f.learn(told, asOf)
    })
    assert.match(late.difference(told, later) ?? '', /size is 120 now, not 110/)
  })

  test('new attributes, times or name move the change time alone', () => {
    const file = known(f => f.retouched())
    assert.equal(file.difference(info({ changed: filetime(START) }), later), undefined)
    assert.match(file.difference(info({ written: filetime(START) }), later) ?? '', /written/)
    assert.equal(known(f => f.retouched(true)).difference(info({ written: 5n }), later), undefined)
  })

  test('a file made or truncated by opening it', () => {
    assert.equal(known(() => {}, { size: 0 }, true).difference(info({ size: 0, written: filetime(START + SECOND) }), later), undefined)
    const file = known(f => f.overwritten(info({ size: 0, written: filetime(START) })))
    assert.equal(file.difference(info({ size: 0, written: filetime(START) }), later), undefined)
    assert.match(file.difference(info(), later) ?? '', /size/)
  })
})
