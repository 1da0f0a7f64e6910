import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { errnoOf } from '../base/errors.ts'
import { now, pause } from '../base/time.ts'
import { type Ends, rowOf } from './tcp-table.ts'

/** A server that has not said by then what became of it, ms: a call is made three times in it. */
const ASK_MS = 3500
const LOOK_MS = 50

/**
 * Whether a connection whose process is dead has come to the knowledge of its other end, for certain; false where nobody says so in time. The kernel goes on
 * with the goodbye for a while, and keeps what it knows in its table. When it has given up, or has forgotten, the server is called once more from the same port:
 * one that has the old connection answers the call with a challenge, and this machine's kernel that with a reset, which ends it. RFC 5961 section 4.2. A server
 * takes the call, or refuses it, only where it has the old connection no more.
 */
export async function hasFallen(ends: Ends, ms = ASK_MS): Promise<boolean> {
  if (!isOurs(ends.local)) return false
  for (const dueAt = now() + ms; ; await pause(LOOK_MS)) {
    const state = rowOf(ends)?.state
    if (state === undefined ? await call(ends, Math.max(LOOK_MS, dueAt - now())) : HEARD.has(state)) return true
    if (now() > dueAt) return false
  }
}

function isOurs(address: string): boolean {
  return Object.values(networkInterfaces()).some(all => all?.some(own => own.address === address))
}

/** FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING: our FIN was acknowledged, or the other end has sent its own. Numbers of the kernel. */
const HEARD: ReadonlySet<string> = new Set(['05', '06', '09', '0B'])

/** Whether the server takes or refuses a call from there: what hinders us from calling proves nothing. */
function call({ local, localPort, address, port }: Ends, ms: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: address, port, localAddress: local, localPort })
    const over = new AbortController()
    const settle = (fell: boolean): void => {
      over.abort()
      socket.destroy()
      resolve(fell)
    }
    socket.on('connect', () => settle(true)).on('error', error => settle(errnoOf(error) === 'ECONNREFUSED'))
    void pause(ms, over.signal).then(() => settle(false))
  })
}
