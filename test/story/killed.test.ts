// kill -9 of nbtrun itself, at a place that a relay forces by holding the packet that belongs to it, in every way of mapping.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { deferred, within } from '../../src/base/time.ts'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { type Lab, missing, useLab } from '../lab/index.ts'
import { noMapping, nothingLeft, words } from '../lab/nbtrun.ts'
import { untilGone } from '../lab/watch.ts'
import { field, proxy } from './proxy.ts'

/** The packet by which a place is known: the nth of its command. Before the program ends by itself, or after. */
const PLACES = {
  negotiating: [COMMAND.NEGOTIATE, 1],
  'the login, before it has an id': [COMMAND.SESSION_SETUP, 1],
  'the login, when it has an id': [COMMAND.SESSION_SETUP, 2],
  'connecting IPC$': [COMMAND.TREE_CONNECT, 1],
  'connecting the share': [COMMAND.TREE_CONNECT, 2],
  'the first look at the share': [COMMAND.CREATE, 1],
  'giving the share back': [COMMAND.TREE_DISCONNECT, 1],
  'giving IPC$ back': [COMMAND.TREE_DISCONNECT, 2],
  'logging off': [COMMAND.LOGOFF, 1],
} as const
type PlaceName = keyof typeof PLACES

/** Whether there is no mapping yet. */
const isUnmapped = (place: PlaceName): boolean => PLACES[place][0] === COMMAND.NEGOTIATE || /^(the login|connecting)/.test(place)

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
        const reached = deferred<void>()
        let seen = 0
        const fromClient = (frame: Buffer): Buffer | undefined => {
          if (field.command(frame) !== command || ++seen !== count) return frame
          reached.resolve()
          return undefined
        }
        const server = lab.server().address
        const here = server.replace(/\d+$/, '254')
        await using between = await proxy({ host: server, port: 445 }, { fromClient }, here)
        const env = way === 'none' ? {} : { NBTRUN_TEST_WAY: way }
        const mapping = way === 'none' ? ['--mapping', 'none'] : []
        const options = ['--port', String(between.port), '--grace', '0', '--program-from', 'path', ...mapping]
        const share = `//${here}/app`
        const run = lab.spawn('client1', words(lab, ['/bin/true'], { as: user === 'root' ? 'alice' : user, share, options }), { user, env })
        await within(60_000, () => reached.promise, `reaching ${place}`)
        process.kill(run.pid!, 'SIGKILL')
        await run
        await lab.server().untilSessions(0)
        await untilGone(lab)
        const { code, stderr } = await lab.run('client1', ['nbtrun', 'reap'], { user })
        assert.deepEqual([code, stderr], [0, ''])
        await nothingLeft(lab)
      })
    }
})
