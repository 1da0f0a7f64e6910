// Shares that are full, forbidden or not there, asked for again and again: nothing stays on the server.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { NbtrunError } from '../../src/base/errors.ts'
import { connect, type Client } from '../../src/smb/index.ts'
import { nothingHeld } from '../story/story.ts'
import { type Lab, useLab, type User } from './index.ts'
import { nbtrun, noLab, nothingLeft } from './nbtrun.ts'

const TIMES = 200
const REFUSED = { cad: 'SHARE_FULL', private: 'ACCESS_DENIED', nothing: 'SHARE_NOT_FOUND' } as const

describe(`${TIMES} tree connects that are refused`, { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const login = (user: User): Promise<Client> => connect(lab.server().address, { user, password: lab.password(user), domain: 'LAB' })
  const [full] = Object.keys(REFUSED)

  /** Asks for each share in turn while somebody else has the only seat of `cad`. */
  async function refuseAll(ask: (share: string, nth: number) => Promise<string>): Promise<void> {
    await using bob = await login('bob')
    await bob.tree(full!)
    const shares = Object.entries(REFUSED)
    for (let i = 0; i < TIMES; i++) {
      const [share, code] = shares[i % shares.length]!
      assert.equal(await ask(share, i), code, `${share}, for the ${i}th time`)
    }
  }
  const codeOf = (asked: Promise<unknown>): Promise<string> =>
    asked.then(
      () => 'granted',
      (thrown: NbtrunError) => thrown.code,
    )
  const counted = async (): Promise<string[]> => {
    const [sessions, trees] = await Promise.all([lab.server().sessions(), lab.server().treeConnects()])
    return [...sessions.map(({ user }) => user), ...trees.map(({ share }) => `//srv/${share}`)].sort()
  }
  /** Until the server has these and nothing else: it writes them down in its own time. */
  async function untilLeft(...expected: string[]): Promise<void> {
    let left = await counted()
    for (const dueAt = performance.now() + 30_000; !isDeepStrictEqual(left, expected) && performance.now() < dueAt; left = await counted());
    assert.deepEqual(left, expected)
  }

  test('on one session: it has no tree of them, is as good as new, and ends as ever', async () => {
    {
      await using alice = await login('alice')
      await refuseAll(share => codeOf(alice.tree(share)))
      await untilLeft('alice')
      await (await alice.tree('app')).writeFile('note', Buffer.from('as good as new'))
      await untilLeft('//srv/app', 'alice')
      const steps = (await alice.close()).filter(({ phase }) => phase === 'teardown')
      assert.deepEqual(
        steps.map(({ name, ok }) => [name.split(' ')[0], ok]),
        [
          ['TREE_DISCONNECT', true],
          ['LOGOFF', true],
          ['FIN', true],
        ],
      )
    }
    await lab.server().untilWorkers(0)
    await untilLeft()
    await nothingHeld()
  })

  test('on a session each: none of them stays', async () => {
    await refuseAll(async (share, nth) => {
      await using alice = await login('alice')
      const code = await codeOf(alice.tree(share))
      const steps = await alice.close()
      assert.ok(
        steps.every(({ phase, ok }) => ok || phase === 'connect'),
        JSON.stringify(steps),
      )
      if (nth % 50 === 49) await untilLeft('//srv/cad', 'bob')
      return code
    })
    await lab.server().untilWorkers(0)
    await untilLeft()
    await nothingHeld()
  })

  test('all at once on one session: the same', async () => {
    {
      await using bob = await login('bob')
      await bob.tree(full!)
      await using alice = await login('alice')
      const asked = Array.from({ length: TIMES }, (_, i) => Object.keys(REFUSED)[i % 3] as keyof typeof REFUSED)
      const codes = await Promise.all(asked.map(share => codeOf(alice.tree(share))))
      assert.deepEqual(
        codes,
        asked.map(share => REFUSED[share]),
      )
      await untilLeft('//srv/cad', 'alice', 'bob')
    }
    await lab.server().untilWorkers(0)
    await untilLeft()
  })

  test('of runs: each ends with its code, and without a session', async () => {
    await using bob = await login('bob')
    await bob.tree(full!)
    for (const [share, code] of Object.entries(REFUSED)) {
      const { code: exit, stderr } = await nbtrun(lab, ['true'], { share: `//srv/${share}`, options: ['--mapping', 'none'] })
      assert.equal(exit, share === full ? exit : 125)
      assert.match(stderr, new RegExp(`\\[${code}\\]\n$`))
      await untilLeft('//srv/cad', 'bob')
    }
    await bob.close()
    await nothingLeft(lab)
  })
})
