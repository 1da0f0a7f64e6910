import { now, pause } from '../base/time.ts'
import { type Fate, giveBackLeft } from '../nbt/left-behind.ts'
import { spellName } from '../nbt/names.ts'
import { type Line, type NameLine, nameId } from './journal/entry.ts'
import { held, namesLeft } from './journal/keeper.ts'
import type { Filed, Place } from './journal/place.ts'
import type { Reaped } from './reap.ts'

/** A run ends no later than this for the sake of a name server that does not answer, ms. */
const LATE_MS = 250

interface Asked {
  readonly name: NameLine
  readonly fate: Fate
}

/** What became of a dead run's names. `news`: something is gone, or stays for a reason that was not told before. */
export type ReapedNames = Reaped & { readonly news: boolean }

/**
 * Gives the NetBIOS names of dead runs back at their name servers, beside whatever else goes on. While they are asked no entry is claimed: a login of this very
 * run may need it, for its sessions. Of several who ask at once one does it, for it has the name meanwhile.
 */
export class LeftNames {
  readonly #place: Place
  readonly #by: string
  readonly #began = now()
  readonly #stop = new AbortController()
  /** By run. */
  readonly #asked = new Map<string, Asked[]>()
  /** Those that this run has itself until its end. */
  readonly #later: (() => Promise<void>)[] = []
  readonly #reaped: ReapedNames[] = []
  #asking: Promise<unknown>

  /** `by`: the run that claims, or an id like one. `own`: ids of names that it holds itself. */
  constructor(place: Place, by: string, dead: readonly Filed[], own: ReadonlySet<string> = new Set()) {
    this.#place = place
    this.#by = by
    const asking: Promise<void>[] = []
    for (const { entry } of dead)
      for (const name of entry === undefined ? [] : namesLeft(entry)) {
        const ask = (): Promise<void> => this.#ask(entry!.run, name)
        if (own.has(nameId(name))) this.#later.push(ask)
        else asking.push(ask())
      }
    this.#asking = Promise.all(asking)
  }

  async #ask(run: string, name: NameLine): Promise<void> {
    const fate = await giveBackLeft({ ...name, name, nodeType: name.node }, this.#stop.signal)
    if (this.#stop.signal.aborted) return // nobody knows
    this.#asked.set(run, [...(this.#asked.get(run) ?? []), { name, fate }])
  }

  /** Waits for the name servers, and notes in the entries what became of the names. */
  async reap(): Promise<readonly ReapedNames[]> {
    await this.#asking
    this.#settle()
    return this.#reaped
  }

  /** The same for a run that ends, and has given its own names back: what is not known in time is left to the next one. */
  async end(): Promise<readonly ReapedNames[]> {
    const ms = this.#later.length > 0 ? LATE_MS : LATE_MS - (now() - this.#began)
    this.#asking = Promise.all([this.#asking, ...this.#later.map(ask => ask())])
    const over = new AbortController()
    await Promise.race([this.#asking, pause(Math.max(0, ms), over.signal)])
    over.abort()
    this.#stop.abort(new Error('the run is over'))
    return this.reap()
  }

  #settle(): void {
    for (const filed of this.#place.list()) {
      const asked = this.#asked.get(filed.entry?.run ?? '')
      if (asked === undefined || filed.verdict.state !== 'dead') continue
      const claimed = this.#place.claim(filed, this.#by)
      if (claimed === undefined) continue
      const { entry } = claimed
      this.#asked.delete(entry.run)
      const lines = asked.map(lineFor)
      const over = new Set(lines.flatMap(line => (line.what === 'no-name' ? [nameId(line)] : [])))
      const names = namesLeft({ names: entry.names.filter(name => !over.has(nameId(name))) })
      this.#place.settle(claimed, lines, names.length + held(entry).length + entry.folders.length + entry.mounts.length + entry.drives.length === 0)
      this.#reaped.push(accountOf(entry.run, asked))
    }
  }
}

function lineFor({ name, fate }: Asked): Line {
  const { text, suffix, scope } = name
  return fate.fate === 'stays' ? { ...name, told: true } : { what: 'no-name', text, suffix, scope }
}

function accountOf(dead: string, asked: readonly Asked[]): ReapedNames {
  const gone: string[] = []
  const left: string[] = []
  for (const { name, fate } of asked) {
    const spelled = spellName(name)
    if (fate.fate === 'released') gone.push(`name ${spelled} at ${fate.by.join(', ')}`)
    if (fate.fate === 'stays') left.push(`its name ${spelled} stays registered (${name.wins.join(', ')}): ${fate.why}`)
  }
  return { dead, gone, left, news: gone.length > 0 || asked.some(({ name, fate }) => fate.fate === 'stays' && name.told !== true) }
}
