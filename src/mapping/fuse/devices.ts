import { within } from '../../base/time.ts'
import { type Attach, polledDevice } from './device.ts'
import { Helper } from './helper.ts'
import { relayedDevice, relayWords } from './relay-device.ts'
import type { RelayTask } from './relay.ts'

const RELAY_END_MS = 1000

/**
 * How the mounts of one mapping are read: polled, or, where this Node does not let us poll a device, with blocking reads. A blocked read cannot be taken back, and
 * keeps a process from ending itself; so it is done in a relay, which can be killed.
 */
export class Devices {
  readonly #blocking: boolean
  readonly #relays: Helper[] = []

  constructor(blocking: boolean) {
    this.#blocking = blocking
  }

  /** Takes over the descriptor of a mount. */
  async attach(fd: number): Promise<Attach> {
    return (this.#blocking ? undefined : polledDevice(fd)) ?? (await this.#relay(fd))
  }

  /** Once all are closed: ends the relays. */
  async end(): Promise<void> {
    await Promise.all(this.#relays.map(endRelay))
  }

  async #relay(fd: number): Promise<Attach> {
    const relay = await Helper.start(relayWords(), { sockets: 1, descriptor: fd })
    this.#relays.push(relay)
    const task: RelayTask = { kind: 'descriptor', fd: 5, blocking: true }
    relay.say(JSON.stringify(task))
    return relayedDevice(relay.sockets[0]!)
  }
}

/** A relay ends by itself when its mounts are closed; one that is stopped does not. */
export async function endRelay(relay: Helper): Promise<void> {
  relay.dismiss()
  await within(RELAY_END_MS, () => relay.gone).catch(() => relay.kill())
}
