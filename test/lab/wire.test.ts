import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { cell, WIRES } from './cell.ts'
import { saidGoodbye } from './goodbye.ts'
import { judge, type Judgement, type Lab, missing, useLab } from './index.ts'
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
      timeout: 280_000,
    }, async () => {
      const stream = saidGoodbye(await recorded('--transport', mode))
      assert.equal(stream.port, port)
      assert.deepEqual(stream.sessionService, port === 139 ? ['request', 'positive'] : [])
    })
  }

  test('a second run has another ClientGuid', { timeout: 280_000, skip: WIRES[cell.wire].dialect === 'NT1' && 'SMB1 has none' }, async () => {
    const guids = [await recorded(), await recorded()].map(j => j.streams.find(s => s.bytes > 0)?.clientGuid)
    assert.ok(guids[0] !== undefined && guids[1] !== undefined)
    assert.notEqual(guids[0], guids[1])
  })

  test('--keepalive sends a NetBIOS keepalive on an idle session of port 139, and on 445 none', { timeout: 280_000 }, async () => {
    for (const mode of ['nbt', 'tcp']) {
      const capture = await lab.capture('client1')
      const { code, stderr } = await nbtrun(lab, ['sleep', '1'], { options: ['--transport', mode, '--keepalive', '100ms'] })
      const judgement = await judge(await capture.stop(), { password: lab.password() })
      assert.deepEqual([code, stderr], [0, ''])
      const [stream] = judgement.streams.filter(({ bytes }) => bytes > 0)
      assert.ok(stream !== undefined)
      assert.deepEqual(judgement.malformed(stream.client), [])
      assert.ok(stream.commands.filter(({ command, response }) => command === 'ECHO' && response).length > 0, mode)
      const [request, positive, ...rest] = stream.sessionService
      if (mode === 'tcp') assert.equal(request, undefined)
      else assert.deepEqual([request, positive, [...new Set(rest)]], ['request', 'positive', ['keepalive']])
      await nothingLeft(lab)
    }
  })
})
