/** `net use`, taken apart. */
export interface NetUse {
  readonly kind: 'map' | 'delete' | 'other'
  /** `P:`, `*`, or none. */
  readonly device: string | undefined
  /** `\\srv\share`. */
  readonly unc: string | undefined
  /** `*` asks for it. */
  readonly password: string | undefined
  readonly user: string | undefined
  readonly persistent: boolean
}

/** The words behind `net use`; switches have any case and may be cut short, as `/d` is. */
export function netUse(words: readonly string[]): NetUse {
  const switches = words.filter(word => word.startsWith('/'))
  const [first, ...rest] = words.filter(word => !word.startsWith('/'))
  const device = first !== undefined && /^(?:[a-z]:|\*|lpt\d:?)$/i.test(first) ? first.toUpperCase() : undefined
  const [unc, password] = device === undefined ? [first, ...rest] : rest
  const user = switches.map(word => /^\/u(?:s(?:e(?:r)?)?)?:(.*)$/i.exec(word)?.[1]).find(text => text !== undefined)
  const isDelete = switches.some(word => /^\/d(?:el(?:ete)?)?$/i.test(word))
  const isUnc = unc !== undefined && /^\\\\[^\\]+\\[^\\]+/.test(unc)
  return {
    kind: isDelete ? 'delete' : isUnc && !(device?.startsWith('LPT') ?? false) ? 'map' : 'other',
    device,
    unc: isUnc ? unc : undefined,
    password: isUnc ? password : undefined,
    user,
    persistent: switches.some(word => /^\/p(?:ersistent)?:y/i.test(word)),
  }
}

/** How long a line does nothing but wait, in seconds; undefined when it is no such line. */
export function waits(words: readonly string[]): number | undefined {
  const [name = '', ...rest] = words
  const program = name
    .toLowerCase()
    .replace(/^.*\\/, '')
    .replace(/\.exe$/, '')
  const line = rest.join(' ')
  // a ping a second, the first at once
  if (program === 'ping') return Math.max(0, number(/[-/]n\s+(\d+)/i.exec(line)) - 1)
  if (program === 'timeout') return number(/(?:[-/]t\s+)?(\d+)/i.exec(line))
  if (program === 'choice') return /[-/]t/i.test(line) ? number(/[-/]t[:\s]*(?:\w,)?(\d+)/i.exec(line)) : undefined
  if (program === 'sleep') return number(/^(\d+)/.exec(line))
  return undefined
}

const number = (match: RegExpExecArray | null): number => Number(match?.[1] ?? 0)
