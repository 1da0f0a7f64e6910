import assert from 'node:assert/strict'
import { cell, WIRES } from './cell.ts'
import type { Judgement, Stream } from './judge.ts'

/**
 * The whole of a run on `//srv/app` as tshark saw it, opened with the password: one connection; at its end TREE_DISCONNECT of the share, of IPC$, LOGOFF
 * (answered with success), then our FIN and the server's; encrypted exactly where the cell says so; nothing malformed or warned of. Returns the connection.
 */
export function saidGoodbye(judgement: Judgement): Stream {
  const [stream, ...others] = judgement.streams.filter(s => s.bytes > 0)
  assert.ok(stream !== undefined)
  assert.equal(others.length, 0, 'one connection')
  assert.deepEqual(lastWords(stream), ['TREE_DISCONNECT \\\\srv\\app', 'TREE_DISCONNECT \\\\srv\\IPC$', 'LOGOFF'])
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
  assert.equal(stream.sealed > 0, WIRES[cell.wire].encryption !== null, `${stream.sealed} encrypted frames`)
  assert.deepEqual(judgement.malformed(stream.client), [])
  assert.deepEqual(judgement.malformed(stream.server), [])
  return stream
}

/** Our last requests, with what they are about. */
function lastWords(stream: Stream): string[] {
  const requests = stream.commands.filter(c => !c.response)
  const names = new Map(stream.commands.filter(c => c.path !== undefined).map(c => [c.tree, c.path]))
  return requests.slice(-3).map(c => (c.command === 'TREE_DISCONNECT' ? `${c.command} ${names.get(c.tree) ?? `tree ${c.tree}`}` : c.command))
}
