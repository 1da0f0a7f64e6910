// A server that sends FIN in place of an answer, and goes on reading.
import { describe, test } from 'node:test'
import { useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { cutInEveryMoment } from './cut.ts'
import { nothingLeft } from './story.ts'

describe('a server that closes its half', { skip: noLab, timeout: 800_000 }, () => {
  test('is a lost connection at once, in every moment', async () => {
    const lab = await useLab()
    await cutInEveryMoment(lab, ({ client }) => void client.end())
    await nothingLeft(lab)
  })
})
