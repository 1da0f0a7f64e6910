import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab } from './index.ts'
import { nbtrun, noMapping, nothingLeft } from './nbtrun.ts'
import { type Dialect, judged, only, SIGNED, worked } from './sealing.ts'

describe('SMB of every age, signed', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const dialect of Object.keys(SIGNED) as Dialect[]) {
    test(`${dialect}: signed with ${SIGNED[dialect]}`, async () => {
      assert.deepEqual(await worked(lab, only(dialect)), [dialect, SIGNED[dialect], null])
    })
  }
  for (const algorithm of ['AES-CMAC', 'HMAC-SHA256'] as const) {
    test(`3.1.1: signed with ${algorithm} where nothing else is offered`, async () => {
      assert.deepEqual(await worked(lab, ['--signing-algorithms', algorithm]), ['3.1.1', algorithm, null])
    })
  }
  test('the best that both have is taken: 3.1.1 and AES-GMAC', async () => {
    assert.deepEqual(await worked(lab, []), ['3.1.1', 'AES-GMAC', null])
  })

  test('-v says how it is protected', async () => {
    for (const [options, says] of [
      [['--encrypt'], '(SMB 3.1.1, encrypted'],
      [only('2.1'), '(SMB 2.1, signed'],
    ] as const) {
      const { stderr } = await nbtrun(lab, ['true'], { options: [...options, '-v'] })
      assert.ok(stderr.includes(says), stderr)
    }
    await nothingLeft(lab)
  })

  const seen: Record<string, readonly string[]> = {
    'SMB 2.0.2': only('2.0.2'),
    'SMB 2.1': only('2.1'),
    'SMB 3.0.2': only('3.0.2'),
  }
  for (const [what, options] of Object.entries(seen)) {
    test(`${what} on the wire: nothing malformed, TREE_DISCONNECT twice, LOGOFF, FIN`, { skip: missing('capture') }, () => judged(lab, options))
  }
})
