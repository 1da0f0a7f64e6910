import assert from 'node:assert/strict'
import { COMMAND, type CommandName } from '../../src/smb/smb2/header.ts'
import type { Lab } from '../lab/index.ts'
import { field, proxy, type Wire } from './proxy.ts'
import { converse, SOON_MS, touch } from './story.ts'

/** The connection ends in each of these moments, in place of the answer: what the client makes of it is always the same. */
export async function cutInEveryMoment(lab: Lab, cut: (wire: Wire) => void): Promise<void> {
  const lost = ['TREE_DISCONNECT: CONNECTION_LOST', 'LOGOFF: CONNECTION_LOST', 'FIN: CONNECTION_LOST']
  const cases: [CommandName, readonly string[]][] = [
    ['NEGOTIATE', []],
    ['SESSION_SETUP', []],
    ['TREE_CONNECT', lost.slice(1)],
    ['READ', lost],
    ['CLOSE', lost],
    ['LOGOFF', ['TREE_DISCONNECT: STATUS_SUCCESS', ...lost.slice(1)]],
  ]
  await Promise.all(
    cases.map(async ([command, steps]) => {
      const gone = new Set<Wire>() // a second connection is cut in the same moment
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame, wire) {
            if (!gone.has(wire) && field.command(frame) === COMMAND[command]) {
              gone.add(wire)
              cut(wire)
            }
            return gone.has(wire) ? undefined : frame
          },
        },
      )
      const { code, error, teardown, ms } = await converse(lab, between.port, share => touch(share, undefined, command))
      // at the end nothing was left to lose
      assert.equal(code, command === 'LOGOFF' ? undefined : 'CONNECTION_LOST', `${command}: ${error?.message}`)
      assert.deepEqual(teardown, steps, command)
      assert.ok(ms < SOON_MS, `${command}: ${ms} ms`)
    }),
  )
}
