import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { pause } from '../../../src/base/time.ts'
import { type MappingName, nothingLeft, type Subject, type Taken, there, word } from './subject.ts'

export interface Promised {
  readonly name: string
  readonly check: (subject: Subject) => Promise<void>
  /** Who cannot keep it, and why. */
  readonly except?: Partial<Record<MappingName, string>>
}

const NO_JOB = 'without koffi there is no job object, and only the program’s own process is known'
const NO_CALL = 'Linux has no such call; the run signals each of its users'
/** A name of the program, of this system. */
const LAUNCHER = /^launcher(?:\.exe)?$/
const NOTHING_SEEN = 'there is nothing to be seen'

/** What every mapping owes: see `Mapping`. */
export const PROMISES: readonly Promised[] = [
  {
    name: 'its words start the program from the share, in the folder asked for, under the pid of the spawn',
    async check(subject) {
      const { mapping, start } = await subject.open()
      const go = word(subject, 'go')
      // a path without a folder: where it starts
      const [here = ''] = word(subject, 'here').split(/[\\/]/).slice(-1)
      const program = await start(subject.folder, [`/write:${here}:x`, `/await:${go}`])
      await there(`${subject.folder}/${here}`)
      assert.equal(mapping.kind, subject.kind)
      assert.notEqual(mapping.way, '')
      const users = await mapping.users()
      if (users.length > 0) assert.ok(users.includes(program.pid), `${program.pid} among ${users.join(', ')}`)
      writeFileSync(go, '')
      await Promise.all([program.exited, mapping.unused])
      await mapping.end()
      await nothingLeft(subject)
    },
  },
  {
    name: 'it is seen by whom its kind says: by the program alone, or by others, too',
    except: { none: NOTHING_SEEN, 'none on Windows': NOTHING_SEEN },
    async check(subject) {
      const taken = await subject.open()
      const [up, go] = [word(subject, 'up'), word(subject, 'go')]
      const { exited } = await taken.start(subject.folder, [`/write:${up}:x`, `/await:${go}`])
      await there(up)
      assert.equal(await subject.isSeenOutside?.(taken), subject.kind !== 'private')
      writeFileSync(go, '')
      await Promise.all([exited, taken.mapping.unused])
      await taken.mapping.end()
      assert.equal(await subject.isSeenOutside?.(taken), false)
      await nothingLeft(subject)
    },
  },
  {
    name: 'its users are named: the program, and what it started when the program itself is gone',
    except: { 'drive by net use': NO_JOB },
    async check(subject) {
      const { mapping, start } = await subject.open()
      const [up, on, again, go] = ['up', 'on', 'again', 'go'].map(name => word(subject, name)) as [string, string, string, string]
      const { pid, exited } = await start(subject.folder, [`/write:${up}:x`, `/await:${on}`, '/relaunch', `/write:${again}:x`, `/await:${go}`])
      await there(up)
      assert.ok((await mapping.users()).includes(pid))
      assert.match((await mapping.describe?.(pid, []))?.name ?? '', LAUNCHER)
      writeFileSync(on, '')
      await exited
      await there(again)
      const users = await mapping.users()
      assert.ok(users.length > 0 && !users.includes(pid), `${users.join(', ')} without ${pid}`)
      const names = await Promise.all(users.map(async user => (await mapping.describe?.(user, []))?.name ?? 'nobody'))
      assert.ok(
        names.some(name => LAUNCHER.test(name)),
        names.join(', '),
      )
      assert.equal(await mapping.describe?.(pid, []), undefined, 'one that is gone has no name')
      writeFileSync(go, '')
      await mapping.unused
      assert.deepEqual(await mapping.users(), [])
      await mapping.end()
      await nothingLeft(subject)
    },
  },
  {
    name: 'it is unused when the last one is gone that sees it, and not before',
    except: { 'drive by net use': NO_JOB },
    async check(subject) {
      const { mapping, start } = await subject.open()
      const [up, go, last] = ['up', 'go', 'last'].map(name => word(subject, name)) as [string, string, string]
      let isUnused = false
      void mapping.unused.then(() => (isUnused = true))
      const { exited } = await start(subject.folder, ['/relaunch', '/relaunch', `/write:${up}:x`, `/await:${go}`, `/write:${last}:x`])
      await exited
      await there(up)
      await mapping.users() // a thorough look
      assert.equal(isUnused, false)
      writeFileSync(go, '')
      await mapping.unused
      assert.ok(existsSync(last), 'the last one was still at work')
      await mapping.end()
      await nothingLeft(subject)
    },
  },
  {
    name: 'nobody came: it ends, and is unused then',
    async check(subject) {
      const { mapping } = await subject.open()
      await mapping.end()
      await mapping.unused
      assert.deepEqual(await mapping.users(), [])
      await nothingLeft(subject)
    },
  },
  {
    name: 'it ends as often as it is told, and says the same each time',
    async check(subject) {
      const { mapping, start } = await subject.open()
      const { exited } = await start(subject.folder, ['/exit:0'])
      await Promise.all([exited, mapping.unused])
      const [one, other] = await Promise.all([mapping.end(), mapping.end()])
      await nothingLeft(subject)
      assert.deepEqual([other, await mapping.end()], [one, one])
    },
  },
  {
    name: 'it ends under its users at once: what they ask of the share fails, and none hangs',
    except: {
      none: 'there is nothing to take away, and who lives is left alone',
      'none on Windows': 'there is nothing to take away, and who lives is left alone',
    },
    async check(subject) {
      const { mapping, point, start } = await subject.open({ force: true })
      const [up, lost] = [word(subject, 'up'), word(subject, 'lost')]
      await start(subject.folder, [`/write:${up}:x`, `/lose:${point}/data`, `/write:${lost}:x`])
      await there(up)
      await mapping.users()
      assert.equal(existsSync(lost), false)
      await mapping.end()
      await there(lost)
      await mapping.unused
      await nothingLeft(subject)
    },
  },
  {
    name: 'files that are open at its end are named, and it ends within a bound',
    except: {
      private: 'its last user ends it, so that none is open then; whoever is cut off before that was one of its users',
      none: NOTHING_SEEN,
      'none on Windows': NOTHING_SEEN,
    },
    async check(subject) {
      const taken = await subject.open()
      const { mapping, said, start } = taken
      const [open, go, last] = ['open', 'go', 'last'].map(name => word(subject, name)) as [string, string, string]
      const holding = subject.hold!(taken)
      const { pid } = await start(subject.folder, [...holding.words, `/write:${open}:x`, `/await:${go}`, `/write:${last}:x`])
      await there(open)
      const failure = await mapping.end().then(
        () => '',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      for (const name of holding.names(pid)) assert.match([...said, failure].join('\n'), name)
      writeFileSync(go, '')
      await there(last)
      await holding.letGo()
      await nothingLeft(subject)
    },
  },
  {
    name: 'its users can be ended all at once',
    except: { private: NO_CALL, shared: NO_CALL, none: NO_CALL, 'drive by net use': NO_JOB },
    async check(subject) {
      const { mapping, start } = await subject.open()
      const [up, never] = [word(subject, 'up'), word(subject, 'never')]
      const { exited } = await start(subject.folder, ['/relaunch', `/write:${up}:x`, `/await:${never}`])
      await exited
      await there(up)
      mapping.endUsers?.()
      await mapping.unused
      assert.deepEqual(await mapping.users(), [])
      await mapping.end()
      await nothingLeft(subject)
    },
  },
  {
    name: 'one that fails half way leaves nothing',
    except: { none: 'it takes nothing that could be refused', 'none on Windows': 'it takes nothing that could be refused' },
    async check(subject) {
      await assert.rejects(async () => subject.openHalf?.(), { name: 'NbtrunError' })
      await nothingLeft(subject)
    },
  },
]

/** What a bound is for one of them, ms: a mapping gives its users 2 or 3 s, and the machine may be busy. */
const LONGEST_MS = 120_000

/** What became of each promise of this mapping, by its name: `kept`, or what was found. */
export async function keep(mapping: MappingName, subject: Subject): Promise<Readonly<Record<string, string>>> {
  const outcomes: Record<string, string> = {}
  for (const { name, check, except } of PROMISES) {
    if (except?.[mapping] !== undefined) continue
    const opened: Taken[] = []
    const noted: Subject = {
      ...subject,
      async open(options) {
        const taken = await subject.open(options)
        opened.push(taken)
        return taken
      },
    }
    const over = new AbortController()
    const late = pause(LONGEST_MS, over.signal).then(() => `not done in ${LONGEST_MS} ms`)
    const done = check(noted).then(
      () => 'kept',
      (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error)),
    )
    outcomes[name] = await Promise.race([done, late])
    over.abort()
    // what one promise leaves behind is not held against the next
    await Promise.race([Promise.allSettled(opened.map(taken => taken.mapping.end())), pause(LONGEST_MS / 10)])
  }
  return outcomes
}
