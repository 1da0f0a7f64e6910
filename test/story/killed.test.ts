// kill -9 of nbtrun itself, at a place that a relay forces by holding the packet that belongs to it, in every way of mapping.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { within } from '../../src/base/time.ts'
import { nth, relay } from '../faults/relay.ts'
import { type Lab, missing, useLab } from '../lab/index.ts'
import { onlyEntry, said, until } from '../lab/journal.ts'
import { noMapping, nothingLeft, words } from '../lab/nbtrun.ts'
import { DEAF, FORGOTTEN, processesLike, untilGone } from '../lab/watch.ts'

/** The packet by which a place is known: the nth of its command. Before the program ends by itself, or after. */
const PLACES = {
  negotiating: ['NEGOTIATE', 1],
  'the login, before it has an id': ['SESSION_SETUP', 1],
  'the login, when it has an id': ['SESSION_SETUP', 2],
  'connecting IPC$': ['TREE_CONNECT', 1],
  'connecting the share': ['TREE_CONNECT', 2],
  'the first look at the share': ['CREATE', 1],
  'giving the share back': ['TREE_DISCONNECT', 1],
  'giving IPC$ back': ['TREE_DISCONNECT', 2],
  'logging off': ['LOGOFF', 1],
} as const
type PlaceName = keyof typeof PLACES

/** Whether there is no mapping yet. */
const isUnmapped = (place: PlaceName): boolean => PLACES[place][0] === 'NEGOTIATE' || /^(the login|connecting)/.test(place)

/** Who maps how; in the last nothing is looked at. */
const WAYS = { root: 'root', b2: 'alice', b1: 'alice', c: 'alice', none: 'root' } as const

describe('kill -9 of nbtrun', { skip: noMapping || missing('fuse3'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const [way, user] of Object.entries(WAYS))
    for (const place of Object.keys(PLACES) as PlaceName[]) {
      if (isUnmapped(place) && way !== 'root') continue // it makes no difference yet
      if (way === 'none' && place === 'the first look at the share') continue
      test(`while ${place}, way ${way}: after nbtrun reap nothing is left on either side`, async () => {
        const [command, count] = PLACES[place]
        const server = lab.server().address
        const here = server.replace(/\d+$/, '254')
        await using between = await relay(server, here, nth(command, count))
        const env = way === 'none' ? {} : { NBTRUN_TEST_WAY: way }
        const mapping = way === 'none' ? ['--mapping', 'none'] : []
        const options = ['--port', String(between.port), '--grace', '0', '--program-from', 'path', ...mapping]
        const share = `//${here}/app`
        const run = lab.spawn('client1', words(lab, ['/bin/true'], { as: user === 'root' ? 'alice' : user, share, options }), { user, env })
        await within(60_000, () => between.held, `reaching ${place}`)
        const sessions = onlyEntry(lab, 'client1', user).filter(({ what }) => what === 'session')
        assert.deepEqual(
          sessions.map(line => [line['server'], line['user']]),
          place === 'negotiating' || place === 'the login, before it has an id' ? [] : [[here, 'alice']],
          'what the journal has of the session',
        )
        process.kill(run.pid!, 'SIGKILL')
        await run
        await lab.server().untilSessions(0)
        await untilGone(lab)
        const { code, stderr } = await lab.run('client1', ['nbtrun', 'reap'], { user })
        assert.deepEqual([code, stderr], [0, ''])
        await nothingLeft(lab)
      })
    }

  for (const [way, user] of Object.entries(WAYS))
    test(`ends what is deaf to TERM after --kill-after, wherever it went, way ${way}`, async () => {
      const env = way === 'none' ? {} : { NBTRUN_TEST_WAY: way }
      const options = ['--kill-after', '300ms', ...(way === 'none' ? ['--mapping', 'none'] : [])]
      const isPrivate = way !== 'none' && way !== 'c'
      const program = `${isPrivate ? FORGOTTEN : ''}\n${DEAF}\necho ready; wait`
      const as = user === 'root' ? 'alice' : user
      const run = lab.spawn('client1', words(lab, ['/bin/sh', '-c', program], { as, options }), { user, env, stderr: 'ignore' })
      await said(run)
      const count = isPrivate ? 7 : 5
      await until(`${count} that sleep`, () => processesLike(lab, /^sleep 10\d /).length === count, 20_000)
      process.kill(run.pid!, 'SIGKILL')
      await untilGone(lab)
      await run
      await lab.server().untilSessions(0)
      await lab.run('client1', ['nbtrun', 'reap'], { user })
      await nothingLeft(lab)
    })
})
