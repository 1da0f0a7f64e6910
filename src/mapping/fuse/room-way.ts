import type { Attach } from './device.ts'
import type { Helper } from './helper.ts'
import type { Tools } from './tools.ts'

/** The programs that rooms are made with and entered by. */
export const ROOM_TOOLS = ['unshare', 'sh', 'mount', 'nsenter', 'env', 'setpriv'] as const

/** One point in the words of mount(8). */
export interface Mount {
  readonly source: string
  readonly path: string
  /** All but `fd=`. */
  readonly options: string
}

export interface RoomPlan {
  readonly tools: Tools<(typeof ROOM_TOOLS)[number]>
  readonly mounts: readonly Mount[]
  /** In the source of each mount. */
  readonly runId: string
  /** Blocking reads instead of polling. */
  readonly blocking: boolean
  /** Serves the mount with this index, from a descriptor that was mounted (and is taken over), or however else. */
  readonly serveFd: (fd: number, index: number) => Promise<void>
  readonly serve: (attach: Attach, index: number) => void
  readonly signal: AbortSignal
}

/** A room that is ready to be entered. */
export interface Made {
  /** A process inside. */
  readonly pid: number
  /** Lets that process go: from then on the room lasts as long as those who entered it. */
  leave(): Promise<void>
}

/** A way to make a room. What `start` returned is killed by the caller where `build` fails. */
export interface RoomWay {
  /** Whether the room has a user namespace of its own. */
  readonly user: boolean
  start(plan: RoomPlan): Promise<Helper>
  build(helper: Helper, plan: RoomPlan): Promise<Made>
}

/** Words of unshare. As an ordinary user the mounts need a user namespace, which maps that user to itself. */
export const NEW_MOUNTS = ['--mount', '--propagation', 'slave'] as const
export const NEW_USER = ['--user', '--map-current-user', '--keep-caps'] as const

/** mount(8) without its helpers and without looking at the path, which nobody answers for yet. */
export const MOUNT_WORDS = ['-i', '-c', '-t', 'fuse.nbtrun', '-o'] as const
