/** A share that the batch file maps. */
export interface Mapped {
  /** `//srv/share`, with the folders behind it. */
  readonly label: string
  /** `P:`, or none. */
  readonly letter: string | undefined
  /** How words of the run say where it is: `{mount}` for the first, a folder for others. */
  readonly point: string
}

/** Where drive letters and UNC paths of a batch file lead, and in which folder it stands. */
export class Places {
  readonly shares: Mapped[] = []
  readonly #letters = new Map<string, string>()
  /** Where it stands on each drive, and which drive is the present one. */
  readonly #folders = new Map<string, string>()
  #drive: string | undefined
  #pushed: (string | undefined)[] = []

  /** Maps `\\srv\share` or a folder below it; the same share is mapped once. */
  map(unc: string, letter: string | undefined): Mapped {
    const label = unc.replaceAll('\\', '/').replace(/\/+$/, '')
    const known = this.shares.find(share => share.label.toLowerCase() === label.toLowerCase())
    const share = known ?? { label, letter, point: this.shares.length === 0 ? '{mount}' : `/mnt/${letterOf(letter) ?? this.shares.length + 1}` }
    if (known === undefined) this.shares.push(share)
    if (letter !== undefined && letter !== '*') this.#letters.set(letter.toUpperCase(), share.point)
    return share
  }

  /** `subst X: P:\folder`. False where that leads to no share. */
  substitute(letter: string, path: string): boolean {
    const place = this.locate(path)
    if (place !== undefined) this.#letters.set(letter.toUpperCase(), place)
    return place !== undefined
  }

  isMapped(letter: string): boolean {
    return this.#letters.has(letter.toUpperCase())
  }

  /** `P:`, `cd /d P:\folder`, `pushd`. False where that is no share. */
  enter(path: string): boolean {
    const [, letter, rest = ''] = /^([a-z]:)?(.*)$/i.exec(path) ?? []
    const place = this.locate(path)
    if (place === undefined) {
      if (letter !== undefined) this.#drive = letter.toUpperCase()
      return false
    }
    const drive = letter?.toUpperCase() ?? (path.startsWith('\\\\') ? place : this.#drive)
    if (drive === undefined) return false
    if (rest !== '' || !this.#folders.has(drive)) this.#folders.set(drive, place)
    this.#drive = drive
    return true
  }

  push(path: string): boolean {
    this.#pushed.push(this.#drive)
    return this.enter(path)
  }

  pop(): void {
    this.#drive = this.#pushed.pop()
  }

  /** The folder on a share that it stands in. */
  get folder(): string | undefined {
    return this.#drive === undefined ? undefined : (this.#folders.get(this.#drive) ?? this.#letters.get(this.#drive))
  }

  /** A path as the run says it; undefined where it leads to no share. */
  locate(path: string): string | undefined {
    const slashes = path.replaceAll('\\', '/')
    const unc = this.shares.find(({ label }) => slashes.toLowerCase() === label.toLowerCase() || slashes.toLowerCase().startsWith(`${label.toLowerCase()}/`))
    if (unc !== undefined) return join(unc.point, unc.point, slashes.slice(unc.label.length))
    const [, letter, rest = ''] = /^([a-z]:)?(.*)$/i.exec(slashes) ?? []
    const drive = letter?.toUpperCase() ?? this.#drive
    const root = drive === undefined ? undefined : (this.#letters.get(drive) ?? (drive === this.#drive ? this.#folders.get(drive) : undefined))
    if (root === undefined || drive === undefined || slashes.startsWith('//')) return undefined
    return join(root, rest.startsWith('/') ? root : (this.#folders.get(drive) ?? root), rest)
  }
}

/** `rest` from `folder` on; no `..` leads above `root`. */
function join(root: string, folder: string, rest: string): string {
  const parts = folder.split('/')
  const least = root.split('/').length
  for (const part of rest.split('/')) {
    if (part === '..' && parts.length > least) parts.pop()
    else if (part !== '' && part !== '.' && part !== '..') parts.push(part)
  }
  return parts.join('/')
}

const letterOf = (letter: string | undefined): string | undefined => (letter === undefined || letter === '*' ? undefined : letter[0]?.toLowerCase())
