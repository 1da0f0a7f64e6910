// A server that is gone in the middle: RST in place of an answer.
import { describe, test } from 'node:test'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { cutInEveryMoment } from './cut.ts'
import { framed, nothingLeft } from './story.ts'

describe('a server that is gone', { skip: noLab, timeout: 800_000 }, () => {
  test('by a reset: a lost connection at once, in every moment', async () => {
    const lab = await useLab()
    await cutInEveryMoment(lab, ({ client }) => void client.resetAndDestroy())
    await nothingLeft(lab)
  })

  test('in the middle of an answer: the same', async () => {
    const lab = await useLab()
    await cutInEveryMoment(lab, ({ client }) => void client.end(framed(Buffer.alloc(200)).subarray(0, 100)))
    await nothingLeft(lab)
  })
})
