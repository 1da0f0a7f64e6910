import { realpathSync } from 'node:fs'
import { NbtrunError } from '../../base/errors.ts'
import { deferred, now, pause } from '../../base/time.ts'
import type { Mapping, Point } from '../mapping.ts'
import { loadTakeDescriptor } from './pidfd.ts'
import { Helper, HELPER_FUSE_FD } from './room-helper.ts'
import { findTools, mayMount, requireFuse, type Tools } from './room-tools.ts'
import { devicesAt, mountNamespace, usersOf } from './room-users.ts'

/** What serves one point's mount. `gone` resolves when the last process that could see the mount is gone, or after `close`. */
export interface FuseServerLike {
  readonly gone: Promise<unknown>
  /** Closes the FUSE descriptor, which cuts off whoever still uses the mount. */
  close(): unknown
}

export interface RoomOptions {
  readonly points: readonly Point[]
  /** Serves the FUSE descriptor, which is the server's to close. */
  readonly serve: (fd: number, point: Point) => FuseServerLike
  readonly signal: AbortSignal
}

const ENTER_MS = 10_000

/**
 * A mount namespace in which the points are mounted, for a program and what it starts. A helper process makes it (as an ordinary user inside a user
 * namespace that maps this user to itself) and holds it until the program is inside; from then on the mounts live exactly as long as their last user.
 * Throws MAPPING_FAILED with the cure.
 */
export async function openRoom({ points, serve, signal }: RoomOptions): Promise<Mapping> {
  signal.throwIfAborted()
  const tools = findTools()
  requireFuse()
  const root = mayMount()
  const starting = Helper.start(tools.sh, unshareWords(tools, root), [tools.mount, ...points.flatMap(point => mountWords(point, root))])
  const [take, helper] = await Promise.all([loadTakeDescriptor(), starting]).catch(async (thrown: unknown) => {
    await starting.then(
      left => left.kill(),
      () => {},
    )
    throw thrown
  })
  const servers: FuseServerLike[] = []
  try {
    for (const point of points) {
      await expectLine(helper, 'mounted', signal)
      servers.push(serve(take(helper.pid, HELPER_FUSE_FD), point))
      helper.goOn()
    }
    await expectLine(helper, 'done', signal)
    const paths = points.map(point => realpathSync(point.path))
    return new Room(tools, root, helper, servers, await mountNamespace(helper.pid), await devicesAt(helper.pid, paths))
  } catch (thrown) {
    await Promise.allSettled(servers.map(server => server.close())) // first: the helper may be waiting for an answer
    await helper.kill()
    throw thrown
  }
}

function unshareWords(tools: Tools, root: boolean): readonly string[] {
  return [tools.unshare, ...(root ? [] : ['--user', '--map-current-user', '--keep-caps']), '--mount', '--propagation', 'slave', '--']
}

function mountWords({ files, path, readOnly }: Point, root: boolean): readonly string[] {
  const uid = process.geteuid?.() ?? 0
  const gid = process.getegid?.() ?? 0
  const options = [`rootmode=40000,user_id=${uid},group_id=${gid},nosuid,nodev`]
  if (readOnly) options.push('ro')
  if (root) options.push('allow_other,default_permissions') // for a program that drops to another user
  return [files.label, path, options.join(',')]
}

async function expectLine(helper: Helper, want: string, signal: AbortSignal): Promise<void> {
  const got = await helper.line(signal)
  if (got !== want) throw new NbtrunError('MAPPING_FAILED', `the private mapping failed (${got} instead of ${want})`)
}

class Room implements Mapping {
  readonly kind = 'private'
  readonly way: 'root' | 'b2'
  readonly unused: Promise<void>
  readonly #tools: Tools
  readonly #helper: Helper
  readonly #servers: readonly FuseServerLike[]
  readonly #namespace: string | null | undefined
  readonly #devices: ReadonlySet<string>
  #ended: Promise<void> | undefined

  constructor(
    tools: Tools,
    root: boolean,
    helper: Helper,
    servers: readonly FuseServerLike[],
    namespace: string | null | undefined,
    devices: ReadonlySet<string>,
  ) {
    this.way = root ? 'root' : 'b2'
    this.#tools = tools
    this.#helper = helper
    this.#servers = servers
    this.#namespace = namespace
    this.#devices = devices
    const { promise, resolve } = deferred<void>()
    this.unused = promise
    void Promise.allSettled(servers.map(server => server.gone)).then(() => resolve())
  }

  /**
   * No shell among them: it would drop variables whose names it does not like and claim descriptors. Entering the user namespace and then executing
   * as an ordinary user leaves the program without a capability; the folder is changed inside, for the way in resets it.
   */
  enter(cwd: string): readonly string[] {
    const { nsenter, env, setpriv } = this.#tools
    const user = this.way === 'root' ? [] : ['--user', '--preserve-credentials']
    return [nsenter, '--target', `${this.#helper.pid}`, ...user, '--mount', '--', env, `--chdir=${cwd}`, '--', setpriv, '--pdeathsig', 'TERM', '--']
  }

  async entered(pid: number): Promise<void> {
    const dueAt = now() + ENTER_MS
    for (;;) {
      const namespace = await mountNamespace(pid)
      if (namespace === undefined || namespace === this.#namespace || now() > dueAt) break
      await pause(1)
    }
    await this.#helper.leave()
  }

  users(): Promise<readonly number[]> {
    return usersOf(this.#devices, this.#helper.pid)
  }

  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<void> {
    await Promise.allSettled(this.#servers.map(server => server.close()))
    await this.#helper.leave()
  }
}
