import { realpathSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deferred, now, pause } from '../../base/time.ts'
import { Guardian } from '../guardian.ts'
import type { Mapping, Point } from '../mapping.ts'
import type { Attach } from './device.ts'
import { Devices, endRelay } from './devices.ts'
import { requireFuse } from './failures.ts'
import type { Helper } from './helper.ts'
import { describe } from './opened.ts'
import { B1 } from './room-b1.ts'
import { B2 } from './room-b2.ts'
import { ROOT } from './room-root.ts'
import { devicesAt, mountNamespace, usersOf } from './room-users.ts'
import { type Made, type Mount, ROOM_TOOLS, type RoomPlan, type RoomWay } from './room-way.ts'
import { findTools } from './tools.ts'

/** What serves one point's mount. `gone` resolves when the last process that could see the mount is gone, or after `close`. */
export interface FuseServerLike {
  readonly gone: Promise<unknown>
  /** Paths below the share of what programs have open. */
  openFiles(): readonly string[]
  /** Tells Wine that names are compared without case, where they are. */
  mark(): Promise<void>
  /** Closes the FUSE descriptor, which cuts off whoever still uses the mount. */
  close(): unknown
}

/** What every way through FUSE needs. */
export interface FuseMappingOptions {
  /** Tells the mounts of this run from all others. */
  readonly runId: string
  readonly points: readonly Point[]
  /** Serves one mount. `forAll`: its files are writable for all who see it, not for our user alone. */
  readonly serve: (attach: Attach, point: Point, forAll: boolean) => FuseServerLike
  readonly signal: AbortSignal
  /** Read with blocking reads, also where polling would do. */
  readonly blocking?: boolean
  /** Should nbtrun be killed, for how long those who use the mapping may still live. */
  readonly killAfterMs: number
}

const WAYS = { root: ROOT, b2: B2, b1: B1 } as const satisfies Record<string, RoomWay>
export type RoomWayName = keyof typeof WAYS

const ENTER_MS = 10_000

/**
 * A mount namespace in which the points are mounted, for a program and what it starts. A helper process makes it (as an ordinary user inside a user
 * namespace that maps this user to itself) and holds it until the program is inside; from then on the mounts live exactly as long as their last user.
 * Throws MAPPING_FAILED with the cure.
 */
export async function openRoom(name: RoomWayName, { points, runId, serve, signal, blocking = false, killAfterMs }: FuseMappingOptions): Promise<Mapping> {
  signal.throwIfAborted()
  const way: RoomWay = WAYS[name]
  const tools = findTools('a private mapping', ROOM_TOOLS)
  requireFuse()
  const devices = new Devices(blocking)
  const servers: FuseServerLike[] = []
  const over = new Set<number>()
  const plan: RoomPlan = {
    tools,
    runId,
    mounts: points.map(point => mountOf(point, runId, !way.user)),
    blocking,
    serve: (attach, index) => {
      const watched: Attach = events =>
        attach({
          ...events,
          end: why => {
            over.add(index)
            events.end(why)
          },
        })
      servers.push(serve(watched, points[index]!, !way.user))
    },
    serveFd: async (fd, index) => plan.serve(await devices.attach(fd), index),
    signal,
  }
  const helper = await way.start(plan)
  const guarding = Guardian.start(killAfterMs)
  guarding.catch(() => {}) // told when it is waited for
  try {
    const made = await way.build(helper, plan)
    const paths = points.map(point => realpathSync(point.path))
    const numbers = await devicesAt(made.pid, paths)
    const guardian = await guarding
    guardian.watch({ devices: numbers.filter(number => number !== undefined), runId })
    return new Room(name, plan, helper, made, servers, devices, await mountNamespace(made.pid), numbers, over, guardian)
  } catch (thrown) {
    await Promise.allSettled(servers.map(server => server.close())) // first: the helper may be waiting for an answer
    const guardian = await guarding.catch(() => undefined)
    await Promise.all([helper.kill(), devices.end(), guardian?.leave()])
    throw thrown
  }
}

/**
 * The run's id stands behind the share: the kernel gives the device number of a mount that is no more to the next one. `others`: also users other than ours may use it, as far as the files' modes let them: a program that root starts may drop to
 * another user.
 */
export function mountOf({ files, path, readOnly }: Point, runId: string, others: boolean): Mount {
  const uid = process.geteuid?.() ?? 0
  const gid = process.getegid?.() ?? 0
  const options = [`rootmode=40000,user_id=${uid},group_id=${gid},nosuid,nodev`]
  if (readOnly) options.push('ro')
  if (others) options.push('allow_other,default_permissions')
  return { source: `${files.label}@${runId}`, path, options: options.join(',') }
}

class Room implements Mapping {
  readonly kind = 'private'
  readonly way: RoomWayName
  readonly unused: Promise<void>
  readonly #plan: RoomPlan
  readonly #helper: Helper
  readonly #made: Made
  readonly #servers: readonly FuseServerLike[]
  readonly #devices: Devices
  readonly #namespace: string | null | undefined
  readonly #numbers: readonly (string | undefined)[]
  /** Mounts that are no more, by their index. */
  readonly #over: ReadonlySet<number>
  readonly #guardian: Guardian
  #ended: Promise<void> | undefined

  constructor(
    way: RoomWayName,
    plan: RoomPlan,
    helper: Helper,
    made: Made,
    servers: readonly FuseServerLike[],
    devices: Devices,
    namespace: string | null | undefined,
    numbers: readonly (string | undefined)[],
    over: ReadonlySet<number>,
    guardian: Guardian,
  ) {
    this.way = way
    this.#plan = plan
    this.#helper = helper
    this.#made = made
    this.#servers = servers
    this.#devices = devices
    this.#namespace = namespace
    this.#numbers = numbers
    this.#over = over
    this.#guardian = guardian
    const { promise, resolve } = deferred<void>()
    this.unused = promise
    void Promise.allSettled(servers.map(server => server.gone)).then(() => resolve())
  }

  /**
   * No shell among them: it would drop variables whose names it does not like and claim descriptors. Entering the user namespace and then executing
   * as an ordinary user leaves the program without a capability; the folder is changed inside, for the way in resets it.
   */
  enter(cwd: string): readonly string[] {
    const { nsenter, env, setpriv } = this.#plan.tools
    const user = WAYS[this.way].user ? ['--user', '--preserve-credentials'] : []
    return [nsenter, '--target', `${this.#made.pid}`, ...user, '--mount', '--', env, `--chdir=${cwd}`, '--', setpriv, '--pdeathsig', 'TERM', '--']
  }

  async entered(pid: number): Promise<void> {
    const dueAt = now() + ENTER_MS
    for (;;) {
      const namespace = await mountNamespace(pid)
      if (namespace === undefined || namespace === this.#namespace || now() > dueAt) break
      await pause(1)
    }
    await this.#made.leave()
  }

  /** The kernel gives the number of a mount that is no more to the next one, which is somebody else's: what was found meanwhile does not count. */
  async users(): Promise<readonly number[]> {
    for (;;) {
      const over = this.#over.size
      const numbers = this.#numbers.flatMap((number, index) => (number === undefined || this.#over.has(index) ? [] : [number]))
      const users = numbers.length === 0 ? [] : await usersOf(new Set(numbers), this.#plan.runId, this.#made.pid)
      await nextTurn() // in which an end would have been told
      if (this.#over.size === over) return users
    }
  }

  readonly describe = describe

  async tellWine(): Promise<void> {
    await Promise.all(this.#servers.map(server => server.mark()))
  }

  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<void> {
    await Promise.allSettled(this.#servers.map(server => server.close()))
    await Promise.all([endRelay(this.#helper), this.#devices.end(), this.#guardian.leave()])
  }
}
