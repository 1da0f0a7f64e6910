import { NbtrunError } from '../../base/errors.ts'
import type { Fate } from '../leftovers.ts'
import { explain, isInUse } from './errors.ts'
import { isAmong, letGo } from './held.ts'
import { openNetwork } from './open.ts'
import type { Connection } from './network.ts'

/** Gives back a connection of a dead run, where it still is what that run made. Never under whoever has files open. */
export async function endConnection(connection: Connection): Promise<Fate> {
  const { device, remote } = connection
  try {
    const network = await openNetwork(process.env)
    if (!isAmong(await network.connections(), connection)) return { gone: true, found: false }
    await letGo(network, connection, false)
    return { gone: true, found: true }
  } catch (thrown) {
    const name = device === '' ? remote : device
    if (isInUse(thrown)) return { gone: false, why: `${name} is in use: end the program that has files open in it, then: net use ${name} /delete` }
    const error = thrown instanceof NbtrunError ? thrown : explain(thrown, connection)
    return { gone: false, why: `${name} is not given back: ${error.message}` }
  }
}
