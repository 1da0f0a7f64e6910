import { resolve } from 'node:path'
import { isOfOurGroup } from '../app/signals.ts'
import type { Manner } from '../app/tree.ts'
import { driveName, type DriveChange, giveDriveBack, type OtherDrives, takeDrive, type WineTool } from '../app/wine/drive.ts'
import { fromWindows, type SeenDrive, toWindows } from '../app/wine/paths.ts'
import { isPrefix, winePrefix } from '../app/wine/prefix.ts'
import { endIdleServer, isWines, MANNER, seesMapping, serverOutside, wineserverOf } from '../app/wine/server.ts'
import { makePrefix, noWine } from '../app/wine/tools.ts'
import { mayHaveWindows, WindowCloser } from '../app/wine/windows.ts'
import type { Scope } from '../base/scope.ts'
import { limited, now } from '../base/time.ts'
import { hasToolMark, toolMark } from '../base/tools.ts'
import type { Mapping } from '../mapping/mapping.ts'
import type { Settings } from '../profile/settings.ts'
import { type Share, uncOf, uncParts } from '../profile/share.ts'
import { drivesOf, wineTool } from './drives.ts'
import type { RunIo } from './events.ts'
import type { Journal } from './journal/journal.ts'
import type { Record } from './record.ts'

/** Giving a drive back may have to ask a running wineserver; half of the time that there is for the teardown is left for the others, ms. */
const undoMs = (teardownMs: number): number => teardownMs / 2

/** Until a wineserver has closed what those had open who are dead, ms. */
const LET_GO_MS = 1000

export interface WineOptions {
  readonly settings: Settings
  readonly io: RunIo
  readonly journal: Journal
  readonly record: Record
}

/** The Wine side of a run: which mapping its wineserver can see, and the drives that the shares are in its prefix. */
export class WineSide {
  readonly prefix: string
  readonly manner: Manner = { ask: (pid, heard) => this.#ask(pid, heard), end: pid => this.#end(pid) }
  readonly isBystander = isWines
  readonly #options: WineOptions
  readonly #env: RunIo['env']
  #drives: readonly SeenDrive[] | undefined
  #closer: WindowCloser | undefined
  #shared = false
  /** When a wineserver that still has files of the mapping open is ended. */
  #serverEndsAt: number | undefined
  #serverEnded = false

  constructor(options: WineOptions) {
    const { settings, io } = options
    this.#options = options
    this.#env = { ...io.env, ...programsOwn(settings, io.cwd) }
    this.prefix = winePrefix(this.#env)
  }

  /**
   * A wineserver that runs already opens the files of the program, too, and does not see a private mapping. So where one runs, and the user left it open, the
   * mapping is a shared one.
   */
  async mappingFor(asked: Settings['mapping']): Promise<Settings['mapping']> {
    const pid = await wineserverOf(this.prefix)
    const kind = asked === 'auto' && pid !== undefined ? 'shared' : asked
    const told = kind === 'shared' ? 'shared' : 'private'
    this.#options.record.wine = { prefix: this.prefix, server: pid === undefined ? 'started' : 'running' }
    if (kind !== 'none') this.#options.record.tell({ type: 'wine', prefix: this.prefix, server: pid, mapping: told })
    return kind
  }

  /** Makes every share a network drive of the prefix, which is made where there is none; once. */
  async take(scope: Scope, mapping: Mapping, wants: string, signal: AbortSignal): Promise<void> {
    this.#shared = mapping.kind === 'shared'
    if (mapping.kind !== 'none') this.#closer ??= this.#closerFor(mapping) // what asks is nobody to wait for: outside, or known by its mark
    if (this.#drives !== undefined || mapping.kind === 'none') return
    const { settings, record } = this.#options
    const tool = await this.#tool()
    if (tool.wine === undefined) throw noWine(wants)
    await this.#requireSeen(mapping)
    await this.#requirePrefix(scope, tool.wine, signal)
    const seen: SeenDrive[] = []
    for (const [index, share] of settings.share.entries()) {
      const point = record.pointOf(index)!
      const change = await this.#takeOne(scope, share, point, tool)
      seen.push({ drive: driveName(change), unc: uncOf(share), point })
      if (change.unc === null)
        record.tell({ type: 'warning', message: `${uncOf(share)} is something else in ${this.prefix}: ${driveName(change)} alone leads to the share` })
    }
    await mapping.tellWine?.()
    this.#drives = seen
    record.drives = seen.map(({ drive }) => drive)
  }

  /** The letter of the first share, `P:`. */
  get drive(): string | undefined {
    return this.#drives?.[0]?.drive
  }

  /** The file of this machine that a path of Windows names. */
  toUnix(word: string): string {
    return fromWindows(word, this.#drives ?? []) ?? word
  }

  /** The words that start a Windows program, with its path as its drive names it. */
  onDrive(words: readonly string[], path: string): readonly string[] {
    const seen = toWindows(path, this.#drives ?? [])
    return seen === undefined ? words : words.flatMap(word => (word === '/unix' ? [] : word === path ? [seen] : [word]))
  }

  /** Ends the wineserver that this run started once it serves nobody, so that it does not hold the mapping for its own patience. */
  hasten(mapping: Mapping, signal: AbortSignal): void {
    if (mapping.kind !== 'private') return
    void endIdleServer(this.prefix, async pid => (await mapping.users()).includes(pid), signal).catch(() => {})
  }

  /** A program of windows is asked to close them, and for that Wine has to start: nobody waits for it. One that had the Ctrl-C itself gets no second one for it. */
  async #ask(pid: number, heard: boolean): Promise<NodeJS.Signals | undefined> {
    const by = await MANNER.ask(pid, heard)
    if (by !== 'SIGINT') return by
    const hasWindows = this.#closer !== undefined && (await mayHaveWindows(pid))
    this.#closer?.ask(pid, !hasWindows)
    return hasWindows || (heard && (await isOfOurGroup(pid))) ? undefined : by
  }

  /** What we start of Wine's tells by its environment that it is no part of the program. */
  get #toolEnv(): RunIo['env'] {
    return { ...this.#env, ...toolMark(this.#options.journal.run) }
  }

  #tool(): Promise<WineTool> {
    return wineTool(this.#toolEnv)
  }

  /**
   * In a shared mapping the wineserver is nobody to end: it closes what the dead had open, and ends its services with itself. Where it does not close it, it is
   * made to end, and what it leaves behind is ended when the drives are given back.
   */
  async #end(pid: number): Promise<NodeJS.Signals | undefined> {
    const by = await MANNER.end(pid)
    if (!this.#shared || by !== 'SIGTERM') return by
    this.#serverEndsAt ??= now() + LET_GO_MS
    this.#serverEnded ||= now() >= this.#serverEndsAt
    return this.#serverEnded ? by : undefined
  }

  /** Ends the services of a wineserver that was made to end. */
  async #endServices(signal: AbortSignal): Promise<void> {
    if (!this.#serverEnded) return
    const limit = limited(signal, LET_GO_MS)
    await endIdleServer(this.prefix, async () => false, limit.signal).finally(() => limit.lift())
  }

  #closerFor(mapping: Mapping): WindowCloser {
    const gone = new AbortController()
    void mapping.unused.then(() => gone.abort())
    return new WindowCloser({
      prefix: this.prefix,
      env: this.#toolEnv,
      wine: async () => (await this.#tool()).wine,
      isOurs: pid => hasToolMark(pid, this.#options.journal.run),
      users: () => mapping.users(),
      gone: gone.signal,
      answerMs: this.#options.settings['kill-after'] / 2,
    })
  }

  async #requireSeen(mapping: Mapping): Promise<void> {
    const pid = await wineserverOf(this.prefix)
    if (pid === undefined) return
    const point = this.#options.record.pointOf(0)
    if (mapping.kind === 'private') {
      // not asked for: that the program is one for Windows was seen when the mapping was there
      const cure = this.#options.settings.mapping === 'auto' ? 'add --mapping shared' : 'leave out --mapping private'
      throw serverOutside(this.prefix, pid, `end its programs, or ${cure}, or name another prefix with --wine-prefix`)
    }
    if (point !== undefined && !(await seesMapping(pid, point)))
      throw serverOutside(
        this.prefix,
        pid,
        `it belongs to a run with a private mapping: give both --mapping shared, or name another prefix with --wine-prefix`,
        'this',
      )
  }

  async #requirePrefix(scope: Scope, wine: string, signal: AbortSignal): Promise<void> {
    if (isPrefix(this.prefix)) return
    const { record } = this.#options
    record.tell({ type: 'progress', doing: `having Wine make the prefix ${this.prefix}` })
    const began = now()
    await makePrefix(wine, this.prefix, this.#toolEnv, signal)
    scope.note('map', 'Wine prefix', undefined, { ms: now() - began }) // it is the user's from now on, as any that Wine makes
    record.tell({ type: 'progress' })
  }

  #takeOne(scope: Scope, share: Share, point: string, tool: WineTool): Promise<DriveChange> {
    const { journal, settings } = this.#options
    const others = (): OtherDrives => drivesOf(journal.others(), this.prefix)
    const giveBack = async (change: DriveChange, signal: AbortSignal): Promise<void> => {
      await this.#closer?.leave()
      await this.#endServices(signal)
      await giveDriveBack(change, others, tool, signal)
      journal.driveGone(change)
    }
    const wish = { prefix: this.prefix, drive: share.drive, unc: uncParts(share), point }
    return scope.acquire('map', `drive ${share.drive ?? 'letter'}`, {
      open: async signal => {
        let noted: DriveChange | undefined
        const note = (change: DriveChange): void => journal.drive((noted = change))
        return takeDrive({ ...wish, others, note }).catch(async (thrown: unknown) => {
          if (noted !== undefined) await giveBack(noted, signal)
          throw thrown
        })
      },
      undo: giveBack,
      undoMs: undoMs(settings['teardown-timeout']),
    })
  }
}

/** What the user sets for the program. */
function programsOwn(settings: Settings, cwd: string): RunIo['env'] {
  const given = Object.fromEntries(settings.env.map(({ name, value }) => [name, value]))
  return settings['wine-prefix'] === undefined ? given : { ...given, WINEPREFIX: resolve(cwd, settings['wine-prefix']) }
}
