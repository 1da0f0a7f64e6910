import { userInfo } from 'node:os'
import { asError } from '../../base/errors.ts'
import { pause } from '../../base/time.ts'
import type { Held } from '../../mapping/windows/held.ts'
import type { Login, Network } from '../../mapping/windows/network.ts'
import { unlessAborted } from '../../nbt/dial.ts'
import type { Settings } from '../../profile/settings.ts'
import type { Session } from '../../smb/resources.ts'
import type { ServerService } from '../../smb/rpc/srvsvc/service.ts'
import { administrator, askWithin, requireAdministrator } from '../administration.ts'
import type { Journal } from '../journal/journal.ts'
import { endOnly, together, type Verification } from '../listed.ts'
import { sameUser } from '../ours.ts'
import { judgeLeft, type Left } from './left.ts'
import { type Around, neighbour } from './neighbours.ts'
import { inTurn } from './turn.ts'
import { usesOwnClient } from './own-client.ts'

/** What a server may round a time by, ms. */
const ROUNDED_MS = 1100

/** A server with which Windows' own client has a session for this run. */
interface Met extends Left {
  readonly host: string
  readonly network: Network
  readonly journal: Journal
}

/**
 * Asks servers, after the teardown and by our own client, whether they still have the session of Windows' own (Q231795: for up to 255 seconds), and has it ended
 * where nobody uses it: as an administrator, whom `--admin-auth-file` names. With `--verify` alone it is left.
 */
export class Lingering {
  readonly #settings: Settings
  readonly #cwd: string
  readonly #met = new Map<string, Met>()

  private constructor(settings: Settings, cwd: string) {
    this.#settings = settings
    this.#cwd = cwd
  }

  /** Undefined where it is not asked for, or no session of Windows' own is held. */
  static of(settings: Settings, cwd: string): Lingering | undefined {
    const { verify, given } = settings
    const isWanted = verify !== 'no' || (settings['admin-auth-file'] !== undefined && given.verify === undefined)
    return isWanted && !usesOwnClient(settings) ? new Lingering(settings, cwd) : undefined
  }

  /** Throws what `requireAdministrator` throws. */
  prepare(): Promise<void> {
    return requireAdministrator(this.#settings, this.#cwd)
  }

  /** A connection to the server is there. Another one, and one of a later try, may use the same session. */
  async met(host: string, { connection, made = Date.now() }: Held, login: Login | undefined, network: Network, journal: Journal): Promise<void> {
    const key = host.toLowerCase()
    const known = this.#met.get(key)
    const told = login?.user ?? known?.who ?? (await network.userOf(connection).catch(() => undefined))
    this.#met.set(key, {
      host,
      network,
      journal,
      who: told ?? userInfo().username,
      isCertain: told !== undefined && known?.isCertain !== false,
      since: Math.min(made, known?.since ?? made),
    })
  }

  /** All servers at once, each within `ms`. Never rejects. */
  async verify(ms: number, hurried: AbortSignal): Promise<Verification> {
    if (this.#met.size === 0) return { verified: null, text: 'the run had no session to ask for' }
    const cut = (): Verification[] => [{ verified: null, text: 'asking for the session was cut short' }]
    return together(await unlessAborted(hurried, Promise.all([...this.#met.values()].map(met => this.#one(met, ms)))).catch(cut))
  }

  async #one(met: Met, ms: number): Promise<Verification> {
    const { host } = met
    const unknown = `whether ${host} has the session is not known`
    const file = this.#settings['admin-auth-file']
    if (file === undefined) return { verified: null, text: `${unknown}: it is Windows' own; --admin-auth-file names who may ask for it` }
    try {
      const used = await usedBy(met, undefined)
      if (used !== undefined) return used
      const asking = { settings: this.#settings, host, given: await administrator(file, this.#cwd) }
      return await askWithin(asking, ms, (service, session, signal) => this.#asked(met, service, session, signal))
    } catch (thrown) {
      return { verified: null, text: `${unknown}: ${asError(thrown).message}` }
    }
  }

  async #asked(met: Met, service: ServerService, session: Session, signal: AbortSignal): Promise<Verification> {
    const { host, journal } = met
    await untilAgeIsKnown(service, met.who, signal)
    const seen = judgeLeft((await service.sessions()).sessions, met, session.who, host)
    if (!('row' in seen)) return seen
    if (this.#settings.verify === 'ask') return { verified: false, text: `${host} lists the session still` }
    return inTurn(journal.place, async () => {
      // a run that begins now waits until this is over
      const used = await usedBy(met, session.connection.transport.address)
      if (used !== undefined) return used
      const { sessions } = await service.sessions()
      const left = judgeLeft(sessions, met, session.who, host)
      if (!('row' in left)) return left
      if (left.kept !== undefined) return { verified: false, text: `${host} lists the session still, and it is not ended: ${left.kept}` }
      try {
        return await endOnly(service, left.row, sessions, session.who, host, signal)
      } catch (thrown) {
        signal.throwIfAborted()
        // it went by itself meanwhile, or may not be ended
        const again = judgeLeft((await service.sessions()).sessions, met, session.who, host)
        return 'row' in again ? { verified: false, text: `${host} lists the session still: ${asError(thrown).message}` } : again
      }
    })
  }
}

/** Samba rounds: a session of this very second is -1 s old, and that is not known. */
async function untilAgeIsKnown(service: ServerService, who: string, signal: AbortSignal): Promise<void> {
  const { sessions } = await service.sessions()
  if (sessions.some(({ user, seconds }) => sameUser(user, who) && seconds === null)) await pause(ROUNDED_MS, signal)
}

async function usedBy(met: Met, address: string | undefined): Promise<Verification | undefined> {
  const around: Around = { ...met, address }
  const by = await neighbour(around)
  return by === undefined ? undefined : { verified: null, usual: true, text: `${met.host} is not asked to end the session: ${by} uses it` }
}
