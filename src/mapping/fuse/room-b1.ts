import { relayedDevice, relayWords } from './relay-device.ts'
import type { RelayTask } from './relay.ts'
import { Helper } from './helper.ts'
import { NEW_USER, type RoomWay } from './room-way.ts'

/**
 * As B2, where no descriptor can be taken from another process: a relay in the user namespace opens the device, makes the room as root would, and passes the
 * kernel's messages on to us. It keeps its capabilities over that namespace, so that the program, which has none, may not look into it. It is outside the mount
 * namespace, or the mapping would never end.
 */
export const B1: RoomWay = {
  user: true,

  start: ({ tools, mounts }) => Helper.start([tools.unshare, ...NEW_USER, '--', ...relayWords()], { sockets: mounts.length }),

  async build(helper, { tools, mounts, blocking, serve, signal }) {
    for (const [index, socket] of helper.sockets.entries()) serve(relayedDevice(socket), index)
    const task: RelayTask = { kind: 'room', tools, mounts, blocking }
    helper.say(JSON.stringify(task))
    return { pid: Number(await helper.line(signal)), leave: async () => helper.dismiss() }
  },
}
