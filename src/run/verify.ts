import { asError } from '../base/errors.ts'
import { now, pause, within } from '../base/time.ts'
import { unlessAborted } from '../nbt/dial.ts'
import type { Settings } from '../profile/settings.ts'
import type { Lifeline } from '../smb/lifeline/lifeline.ts'
import type { Connection, Session, SessionProof } from '../smb/resources.ts'
import type { ServerService } from '../smb/rpc/srvsvc/service.ts'
import { administrator, askWithin, requireAdministrator } from './administration.ts'
import { endOnly, findSession, type Listed, type Sought, together, type Verification } from './listed.ts'
import { transportOf } from './servers.ts'

/** A session as it was while it was open. */
interface Watched extends Sought {
  readonly connection: Connection
  readonly proof: SessionProof | undefined
}

/** What the proof says. */
type Proof = Verification & { readonly hangs?: boolean }

/** A binding is asked for at most this share of the budget where an administrator can be asked, too: a server that hangs takes all it gets. */
const PROOF_SHARE = 0.4
/** Between two askings of a session that is on its way out, ms. */
const AGAIN_MS = 100

/**
 * Asks servers, after the teardown and on connections of its own, whether they still have this run's sessions: first by a proof that needs nobody's rights, else
 * as an administrator. What it needs of a session it takes while that is open; no password is in memory before or after it is used.
 */
export class Verifier {
  readonly #settings: Settings
  readonly #cwd: string
  readonly #watched: Watched[] = []

  constructor(settings: Settings, cwd: string) {
    this.#settings = settings
    this.#cwd = cwd
  }

  /** Throws what `requireAdministrator` throws. */
  prepare(): Promise<void> {
    return requireAdministrator(this.#settings, this.#cwd)
  }

  /** The session of this server, now that it is open; a later one on the same server takes its place. */
  watch({ connection, session }: Lifeline): void {
    const at = this.#watched.findIndex(other => other.connection.host === connection.host)
    const nameless = session.guest || session.anonymous
    const watched = { connection, who: session.who, nameless, beganAt: now(), proof: session.proof() }
    if (at < 0) this.#watched.push(watched)
    else this.#watched[at] = watched
  }

  /** All servers at once, each within `ms`. Never rejects. */
  async verify(ms: number, hurried: AbortSignal): Promise<Verification> {
    if (this.#watched.length === 0) return { verified: null, text: 'the run had no session to ask for' }
    const cut = (): Verification[] => [{ verified: null, text: 'asking for the session was cut short' }]
    return together(await unlessAborted(hurried, Promise.all(this.#watched.map(watched => this.#one(watched, ms)))).catch(cut))
  }

  async #one(watched: Watched, ms: number): Promise<Verification> {
    const { host } = watched.connection
    const dueAt = now() + ms
    const { verify, 'admin-auth-file': file } = this.#settings
    const proven = await this.#proven(watched, file === undefined ? ms : ms * PROOF_SHARE)
    if (proven.verified === true || file === undefined) return proven
    const isSure = proven.verified === false && proven.hangs !== true
    if (isSure && verify === 'ask') return proven
    try {
      const asking = { settings: this.#settings, host, given: await administrator(file, this.#cwd) }
      const asked = await askWithin(asking, Math.max(500, dueAt - now()), (...on) => this.#asked(watched, ...on))
      if (asked.verified === null) return { verified: proven.verified, text: `${proven.text}, and ${asked.text}` }
      // a list without the session does not outweigh the server's own word that it has it
      return isSure && asked.verified && !asked.ended ? proven : asked
    } catch (thrown) {
      return { verified: proven.verified, text: `${proven.text}, and ${asError(thrown).message}` }
    }
  }

  /** By the proof, until the session is gone or the time is up: a session whose connection broke takes its time. */
  async #proven({ connection, proof, nameless }: Watched, ms: number): Promise<Proof> {
    const { host, dialect, transport } = connection
    if (proof === undefined) {
      const why = nameless ? 'a session that cannot sign has no proof' : `SMB ${dialect} has no proof for it`
      return { verified: null, text: `whether ${host} has the session is not known: ${why}` }
    }
    const dueAt = now() + ms
    const settled = Math.min(ms, SETTLE_MS)
    for (const patientUntil = now() + settled; ; ) {
      const timeoutMs = Math.max(200, dueAt - now() - FIN_MS)
      try {
        const to = { ...transportOf(this.#settings, host), mode: transport.kind, port: transport.port, timeoutMs }
        const answer = await within(timeoutMs + FIN_MS, signal => proof.ask({ ...to, signal }), `asking ${host} for the session`)
        if (answer === 'gone') return { verified: true, text: `${host} says that the session is gone` }
        if (answer === 'hangs')
          return { verified: false, hangs: true, text: `${host} still has the session: it answers others, but what serves this one hangs` }
        if (now() > patientUntil) return { verified: false, text: `${host} still has the session` }
      } catch (thrown) {
        return { verified: null, text: `whether ${host} has the session is not known: ${asError(thrown).message}` }
      }
      await pause(AGAIN_MS)
    }
  }

  /** By the server's list, and where that was asked for by having it end the session. */
  async #asked(watched: Watched, service: ServerService, session: Session, signal: AbortSignal): Promise<Listed> {
    const { host } = watched.connection
    const { sessions } = await service.sessions()
    const found = findSession(sessions, watched, session.who)
    if ('why' in found) return { verified: null, text: `the list of ${host} does not tell: ${found.why}` }
    if (found.fits.length === 0) return { verified: true, text: `${host} lists no such session` }
    const [fit] = found.fits
    if (fit === undefined || found.fits.length > 1)
      return { verified: null, text: `the list of ${host} does not tell: ${found.fits.length} sessions of ${watched.who} fit` }
    if (this.#settings.verify !== 'end') return { verified: false, text: `${host} lists the session still` }
    return endOnly(service, fit, sessions, session.who, host, signal)
  }
}

/** For how long a session may still be there without being a leftover, ms. */
const SETTLE_MS = 500
const FIN_MS = 500
