import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { cell, WIRES } from './cell.ts'
import { judge, type Judgement, type Lab, missing, type Stream, useLab } from './index.ts'
import { nbtrun, noMapping, nothingLeft, script } from './nbtrun.ts'

describe('on the wire', { skip: noMapping || missing('capture') }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  async function recorded(...options: string[]): Promise<Judgement> {
    script(lab, 'work', 'echo written > "$NBTRUN_MOUNT/out"; cat "$NBTRUN_MOUNT/out"; ls "$NBTRUN_MOUNT"; rm "$NBTRUN_MOUNT/out"')
    const capture = await lab.capture('client1')
    const { code, stderr } = await nbtrun(lab, ['{mount}/work'], { options })
    const judgement = await judge(await capture.stop(), { password: lab.password() })
    assert.deepEqual([code, stderr], [0, ''])
    await nothingLeft(lab)
    return judgement
  }

  for (const [port, mode] of [
    [445, 'tcp'],
    [139, 'nbt'],
  ] as const) {
    test(`a whole run on ${port}: one connection, TREE_DISCONNECT of the share, of IPC$, LOGOFF, then our FIN; nothing malformed`, {
      timeout: 30_000,
    }, async () => {
      const judgement = await recorded('--transport', mode)
      const [stream, ...others] = judgement.streams.filter(s => s.bytes > 0)
      assert.ok(stream !== undefined)
      assert.deepEqual([others.length, stream.port], [0, port])
      assert.deepEqual(goodbye(stream), ['TREE_DISCONNECT \\\\srv\\app', 'TREE_DISCONNECT \\\\srv\\IPC$', 'LOGOFF'])
      assert.deepEqual(
        stream.ends.map(e => [e.kind, e.from]),
        [
          ['FIN', stream.client],
          ['FIN', stream.server],
        ],
      )
      const logoff = stream.commands.find(c => c.command === 'LOGOFF' && c.response)
      assert.equal(logoff?.status, 0)
      assert.ok(logoff.at <= stream.ends[0]!.at)
      assert.deepEqual(stream.sessionService, port === 139 ? ['request', 'positive'] : [])
      assert.equal(stream.sealed > 0, WIRES[cell.wire].encryption !== null, `${stream.sealed} encrypted frames`)
      assert.deepEqual(judgement.malformed(stream.client), [])
      assert.deepEqual(judgement.malformed(stream.server), [])
    })
  }

  test('a second run has another ClientGuid', { timeout: 30_000 }, async () => {
    const guids = [await recorded(), await recorded()].map(j => j.streams.find(s => s.bytes > 0)?.clientGuid)
    assert.ok(guids[0] !== undefined && guids[1] !== undefined)
    assert.notEqual(guids[0], guids[1])
  })
})

/** Our last words, with what they are about. */
function goodbye(stream: Stream): string[] {
  const requests = stream.commands.filter(c => !c.response)
  const names = new Map(stream.commands.filter(c => c.path !== undefined).map(c => [c.tree, c.path]))
  return requests.slice(-3).map(c => (c.command === 'TREE_DISCONNECT' ? `${c.command} ${names.get(c.tree) ?? `tree ${c.tree}`}` : c.command))
}
