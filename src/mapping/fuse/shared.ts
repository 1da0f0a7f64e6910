import { outOfDescriptors } from '../../base/errors.ts'
import { hasToolMark, isTool } from '../../base/tools.ts'
import { Followers } from '../followers.ts'
import { Guardian } from '../guardian.ts'
import type { Mapping, Point } from '../mapping.ts'
import { entryWords } from '../none.ts'
import { Devices } from './devices.ts'
import { impossible, requireFuse } from './failures.ts'
import { loadNative } from './native.ts'
import { describe, openBelow, openedBy } from './opened.ts'
import { type FuseMappingOptions, type FuseServerLike, mountOf } from './room.ts'
import { devicesAt } from './room-users.ts'
import { runTool } from './run-tool.ts'
import { type Mounter, mountWhole, rootMounter, unmount, userMounter } from './shared-mount.ts'
import { findTools, mayMount } from './tools.ts'

export interface SharedOptions extends FuseMappingOptions {
  readonly runId: string
  /** What happened at the end that somebody should know. */
  readonly warn: (message: string) => void
  /** What the program may start and that is not its own: it counts only while it has a file of the mapping open. */
  readonly isBystander?: ((pid: number) => Promise<boolean>) | undefined
  /** This process is another program's: it keeps its memory, and its own orphans. */
  readonly embedded?: boolean | undefined
}

/** How long a mapping in use is waited for at the end: DESIGN's 2 s a step. */
const BUSY_MS = 2000

interface Mounted {
  readonly point: Point
  readonly server: FuseServerLike
  readonly device: string | undefined
}

/**
 * Mounts that every process of this user sees. Their end tells nothing about the program's, so what it started is followed; a guardian takes them away should
 * nbtrun be killed. As an ordinary user it needs fusermount3, and koffi to receive the descriptor. Throws MAPPING_FAILED with the cure.
 */
export async function openShared({
  points,
  serve,
  signal,
  blocking = false,
  runId,
  killAfterMs,
  warn,
  isBystander,
  embedded = false,
}: SharedOptions): Promise<Mapping> {
  signal.throwIfAborted()
  const root = mayMount()
  requireFuse()
  const tools = findTools('a shared mapping', ['env', 'setpriv', 'test'])
  const native = root ? await loadNative().catch(() => undefined) : await loadNative()
  const mounter = native === undefined || root ? rootMounter() : userMounter(native)
  if (!embedded) {
    native?.becomeSubreaper()
    native?.hideMemory() // in a namespace of its own the program could not look into it
  }
  const followers = new Followers(runId, {
    subreaper: native === undefined || embedded ? undefined : { isOurs: async pid => isTool(pid) || (await hasToolMark(pid, runId)), bury: native.bury },
    isBystander: async pid => (await isBystander?.(pid)) === true && !(await hasOpen(pid, points)),
  })
  const devices = new Devices(blocking)
  const guardian = await Guardian.start(killAfterMs, { paths: points.map(point => point.path), detachWords: mounter.detachWords })
  guardian.watch({ runId })
  const mounted: Mounted[] = []
  const shared = new Shared(tools, mounter, followers, devices, guardian, mounted, warn)
  try {
    for (const point of points) {
      const fd = await mountWhole(mounter, mountOf(point, runId, root))
      const server = serve(await devices.attach(fd), point, false)
      const [device] = await devicesAt(process.pid, [point.path]).catch(() => []) // it is mounted all the same
      mounted.push({ point, server, device })
      signal.throwIfAborted()
      // Without this first GETATTR the kernel believes the root to be root's. Not by a thread of ours: killed while it waits for us, it could never die,
      // and would hold the mapping and its users with it.
      await runTool([tools.test, '-d', point.path]).catch((cause: unknown) => {
        throw impossible('other', `the mapping failed (${point.path} does not answer)`, undefined, cause)
      })
    }
    return shared
  } catch (thrown) {
    await shared.end()
    throw thrown
  }
}

class Shared implements Mapping {
  readonly kind = 'shared'
  readonly way = 'c'
  readonly unused: Promise<void>
  readonly #tools: { readonly env: string; readonly setpriv: string }
  readonly #mounter: Mounter
  readonly #followers: Followers
  readonly #devices: Devices
  readonly #guardian: Guardian
  readonly #mounted: readonly Mounted[]
  readonly #warn: (message: string) => void
  #ended: Promise<string> | undefined

  constructor(
    tools: { readonly env: string; readonly setpriv: string },
    mounter: Mounter,
    followers: Followers,
    devices: Devices,
    guardian: Guardian,
    mounted: readonly Mounted[],
    warn: (message: string) => void,
  ) {
    this.unused = followers.gone
    this.#tools = tools
    this.#mounter = mounter
    this.#followers = followers
    this.#devices = devices
    this.#guardian = guardian
    this.#mounted = mounted
    this.#warn = warn
  }

  /** Never the program's own path first: Node waits for the exec, and the program may lie on the mapping, which we serve. */
  enter(cwd: string): readonly string[] {
    return entryWords(cwd, this.#tools.env, this.#tools.setpriv)
  }

  async entered(pid: number, exited?: Promise<unknown>): Promise<void> {
    this.#followers.start(pid, exited)
  }

  users(): Promise<readonly number[]> {
    return this.#followers.list()
  }

  readonly describe = describe

  async tellWine(): Promise<void> {
    await Promise.all(this.#mounted.map(({ server }) => server.mark()))
  }

  end(): Promise<string> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  /** Newest first. Users that the run was told not to wait for are not waited for here either. */
  async #end(): Promise<string> {
    const survivors = await this.#followers.list().catch(() => []) // for want of descriptors
    const patience = survivors.length > 0 ? 0 : BUSY_MS
    this.#followers.stop()
    let how: 'unmounted' | 'detached' = 'unmounted'
    for (const { point, server, device } of [...this.#mounted].reverse()) {
      const busy = async (): Promise<void> => this.#warn(await stillUsed(point, server, survivors))
      const end = await unmount(this.#mounter, point.path, device, patience, busy).catch(async (thrown: unknown) => {
        if (outOfDescriptors(thrown) === undefined) throw thrown
        await this.#guardian.detach()
        return 'unmounted' as const
      })
      if (end === 'detached') {
        how = end
        this.#warn(`the mapping at ${point.path} was still in use and is detached; what uses it gets errors`)
      }
      await server.close()
    }
    await Promise.all([this.#guardian.leave(), this.#devices.end()])
    return how
  }
}

async function hasOpen(pid: number, points: readonly Point[]): Promise<boolean> {
  for (const { path } of points) if ((await openBelow(pid, path)).length > 0) return true
  return false
}

/** Names what is open, and who has it open. */
async function stillUsed({ path, files }: Point, server: FuseServerLike, survivors: readonly number[]): Promise<string> {
  const open = server.openFiles()
  const users = (await openedBy(path, survivors)).map(({ pid, name }) => `${name} (${pid})`)
  const what = open.length === 0 ? 'no file, but a folder of it' : open.join(', ')
  return `${files.label} is still in use at its end: open is ${what}${users.length === 0 ? '' : `; by ${users.join(', ')}`}`
}
