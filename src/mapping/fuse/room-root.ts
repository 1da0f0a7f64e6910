import { closeSync, openSync } from 'node:fs'
import { Helper, type HelperOptions } from './helper.ts'
import { runTool } from './run-tool.ts'
import { MOUNT_WORDS, NEW_MOUNTS, type Mount, type RoomPlan, type RoomWay } from './room-way.ts'

/**
 * Holds a mount namespace, and looks at each folder ($@) when told that it is mounted and served: without this first GETATTR the kernel believes the root to
 * be root's and refuses to create files in it.
 */
const HOLD = `
echo ready >&3
for path do
  read -r word <&3 || exit
  [ -d "$path" ] || { echo "$path does not answer" >&2; exit 1; }
  echo seen >&3
done
read -r word <&3
`

/**
 * A mount namespace alone, for whoever may mount: root, and the relay of way B1 in its user namespace. The device is opened here and handed down to mount,
 * which enters the namespace: no descriptor has to be taken from anybody.
 */
export const ROOT: RoomWay = {
  user: false,
  start: plan => startHolder(plan, 'pipe'),
  async build(helper, plan) {
    await fillRoom(helper, plan, 'pipe')
    return { pid: helper.pid, leave: () => helper.leave() }
  },
}

export function startHolder({ tools: { unshare, sh }, mounts }: Pick<RoomPlan, 'tools' | 'mounts'>, complaints: HelperOptions['complaints']): Promise<Helper> {
  return Helper.start([unshare, ...NEW_MOUNTS, '--', sh, '-c', HOLD, 'nbtrun', ...mounts.map(mount => mount.path)], { complaints })
}

export async function fillRoom(
  holder: Helper,
  { tools, mounts, serveFd, signal }: Pick<RoomPlan, 'tools' | 'mounts' | 'serveFd' | 'signal'>,
  complaints: HelperOptions['complaints'],
): Promise<void> {
  await holder.expect('ready', signal)
  const inside = [tools.nsenter, '--target', `${holder.pid}`, '--mount', '--', tools.mount]
  for (const [index, mount] of mounts.entries()) {
    await serveFd(await mountFuse(inside, mount, complaints), index)
    holder.say('look')
    await holder.expect('seen', signal)
  }
}

/** Mounts by these words, which end in mount(8); returns the descriptor that is to be served. */
export async function mountFuse(words: readonly string[], { source, path, options }: Mount, complaints: HelperOptions['complaints'] = 'pipe'): Promise<number> {
  const fd = openSync('/dev/fuse', 'r+')
  try {
    await runTool([...words, ...MOUNT_WORDS, `fd=3,${options}`, '--', source, path], { complaints, descriptor: fd })
    return fd
  } catch (thrown) {
    closeSync(fd)
    throw thrown
  }
}
