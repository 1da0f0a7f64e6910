// Servers that are broken at random: one change to one message of a real conversation, under a good signature where there is one, or as it comes.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Share } from '../../src/smb/index.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { impostor, type Lie } from './impostor.ts'
import { field, proxy } from './proxy.ts'
import { converse, nothingLeft, SOON_MS, touch } from './story.ts'

const SEED = 20_260_101
const RUNS = 30
const AT_ONCE = 15
/** A deadline, and the three steps of a teardown, each with its own. */
const LIMIT_MS = 15_000

/** All that the client can ask for. */
async function everything(share: Share, name: string): Promise<void> {
  const { files } = share
  await touch(share, undefined, name)
  const file = await files.open(name, { read: true, write: true, writeAttributes: true, disposition: 'open-or-create' })
  const range = { offset: 0n, length: 10n }
  await file.lock(range, true)
  await file.unlock(range)
  await file.setTimes({ written: 132_000_000_000_000_000n })
  await file.setAttributes(0x20)
  await file.truncate(3)
  await file.flush()
  await file.stat()
  await file.close()
  await files.rename(name, `${name}2`, true)
  await files.remove(`${name}2`, false)
  await files.volume()
}

/** Numbers below n, the same for the same seed. */
function numbers(seed: number): (n: number) => number {
  let x = seed
  return n => {
    x = (Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + 0x297a2d39) >>> 0
    return x % n
  }
}

const SPECIAL = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff]

/** One random change; the first four bytes (ProtocolId) are too dull to change. */
function damage(frame: Buffer, below: (n: number) => number): { frame: Buffer; what: string } {
  const out = Buffer.from(frame)
  const at = 4 + below(out.length - 4)
  switch (below(6)) {
    case 0:
      out[at]! ^= 1 << below(8)
      return { frame: out, what: `bit of byte ${at}` }
    case 1: {
      out[at] = below(256)
      return { frame: out, what: `byte ${at} = ${out[at]}` }
    }
    case 2: {
      const [place, value] = [Math.min(at, out.length - 2), SPECIAL[below(SPECIAL.length)]! & 0xffff]
      out.writeUInt16LE(value, place)
      return { frame: out, what: `u16 at ${place} = ${value}` }
    }
    case 3: {
      const [place, value] = [Math.min(at & ~3, out.length - 4), SPECIAL[below(SPECIAL.length)]!]
      out.writeUInt32LE(value, place)
      return { frame: out, what: `u32 at ${place} = ${value}` }
    }
    case 4:
      return { frame: out.subarray(0, at), what: `cut at ${at}` }
    default:
      return { frame: Buffer.concat([out, Buffer.alloc(below(70), below(256))]), what: 'longer' }
  }
}

/** Whether a client that checks every signature may go on as if nothing had happened. */
function isNoMatter(frame: Buffer, damaged: Buffer): boolean {
  if (damaged.equals(frame)) return true
  if (field.command(frame) === COMMAND.LOGOFF || field.status(frame) === STATUS.PENDING) return true // need not be signed
  return damaged.length >= 64 && field.messageId(damaged) !== field.messageId(frame) // an answer to nothing
}

describe('a server that is broken at random', { skip: noLab, timeout: 800_000, concurrency: 8 }, () => {
  after(async () => nothingLeft(await useLab()))

  for (const signed of [true, false]) {
    test(`${signed ? 'but signs' : 'after it signed'}: an error of ours or success, in time, whatever is broken (seed ${SEED})`, async () => {
      const lab = await useLab()
      const below = numbers(SEED + Number(signed))
      let messages = 0
      /** One conversation with its `victim`th answer damaged; -1 for none. */
      const run = async (victim: number, name: string): Promise<void> => {
        let what = 'nothing'
        let isHarmless = true
        const seed = below(0x7fff_ffff)
        const lie: Lie = (frame, index) => {
          messages = Math.max(messages, index + 1)
          if (index !== victim) return frame
          const damaged = damage(frame, numbers(seed))
          isHarmless = isNoMatter(frame, damaged.frame)
          what = `answer ${index} (command ${field.command(frame)}, ${frame.length} bytes): ${damaged.what}`
          return damaged.frame
        }
        const straight = {
          fromServer: (
            (index = 0) =>
            (frame: Buffer, wire: Parameters<Lie>[2]) =>
              lie(frame, index++, wire)
          )(),
        }
        await using between = await proxy({ host: lab.server().address, port: 445 }, signed ? impostor(lab, lie) : straight)
        const conversation = converse(lab, between.port, share => everything(share, name), { ioTimeoutMs: victim < 0 ? SOON_MS : 1000 })
        const { code, error, ms } = await conversation.catch((thrown: unknown) => {
          // the comparison of what was read may fail, when a READ was damaged
          if (signed && thrown instanceof assert.AssertionError) return { code: undefined, error: undefined, ms: 0 }
          throw new Error(`${name}, ${what}`, { cause: thrown })
        })
        if (victim < 0) assert.equal(code, undefined, error?.message)
        if (!signed && !isHarmless) assert.notEqual(code, undefined, `${name}, ${what}`)
        assert.ok(code !== 'INTERNAL' && code !== 'USAGE', `${name}, ${what}: ${error?.stack}`)
        assert.ok(ms < LIMIT_MS, `${name}, ${what}: ${Math.round(ms)} ms`)
      }
      await run(-1, `fuzz-${signed}`)
      for (let done = 0; done < RUNS; done += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => run(below(messages), `fuzz-${signed}-${done + i}`)))
      }
    })
  }
})
