import { Helper } from './helper.ts'
import { loadNative } from './native.ts'
import { MOUNT_WORDS, NEW_MOUNTS, NEW_USER, type RoomWay } from './room-way.ts'

/** The descriptor under which the helper holds /dev/fuse while its mount is handed over. */
const FUSE_FD = 4

/**
 * Mounts each point in the helper's own mount namespace. $1 is mount, then source, folder and options of each point. After each mount it waits for a
 * word on descriptor 3, so that the other side can take the FUSE descriptor and serve. It lets go of its own copy, so that a server that closes ends
 * the mount, and looks at the folder: without this first GETATTR the kernel believes the root to be root's and refuses to create files in it.
 */
const SCRIPT = `
mount=$1; shift
while [ $# -gt 0 ]; do
  exec ${FUSE_FD}<>/dev/fuse
  "$mount" ${MOUNT_WORDS.join(' ')} "fd=${FUSE_FD},$3" -- "$1" "$2" || exit
  echo mounted >&3
  read -r word <&3 || exit
  exec ${FUSE_FD}<&-
  [ -d "$2" ] || { echo "$2 does not answer" >&2; exit 1; }
  shift 3
done
echo done >&3
read -r word <&3
`

/**
 * A user namespace, and in it a mount namespace. The device must be opened in that user namespace, so the helper does it, and we take the descriptor out of
 * the helper: we stay outside, and nothing stands between the kernel and us.
 */
export const B2: RoomWay = {
  user: true,

  async start({ tools: { unshare, sh, mount }, mounts }) {
    const points = mounts.flatMap(({ source, path, options }) => [source, path, options])
    const starting = Helper.start([unshare, ...NEW_USER, ...NEW_MOUNTS, '--', sh, '-c', SCRIPT, 'nbtrun', mount, ...points])
    starting.catch(() => {}) // told when it is waited for
    await loadNative().catch(async (thrown: unknown) => {
      await starting.then(
        helper => helper.kill(),
        () => {},
      )
      throw thrown
    })
    return starting
  },

  async build(helper, { mounts, serveFd, signal }) {
    const native = await loadNative()
    for (const index of mounts.keys()) {
      await helper.expect('mounted', signal)
      await serveFd(native.takeDescriptor(helper.pid, FUSE_FD), index)
      helper.say('go')
    }
    await helper.expect('done', signal)
    return { pid: helper.pid, leave: () => helper.leave() }
  },
}
