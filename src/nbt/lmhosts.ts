import { isIPv4 } from 'node:net'
import { asError, errnoOf } from '../base/errors.ts'
import { type NetbiosName, SUFFIX } from './names.ts'

/** A line of an LMHOSTS file. */
export interface LmhostsEntry {
  readonly address: string
  /** In upper case. */
  readonly text: string
  /** Of the 16th byte, where the line gives it as `\0xNN`; a plain name is its workstation, messenger and server service. */
  readonly suffix: number | undefined
  /** #PRE: known before anybody is asked. */
  readonly preloaded: boolean
  /** #DOM: the address is one of that domain's controllers. */
  readonly domain: string | undefined
}

export interface Lmhosts {
  readonly entries: readonly LmhostsEntry[]
  /** Lines and files that could not be read: `lmhosts:3: not an address: x`. */
  readonly complaints: readonly string[]
}

/** Reads a file; rejects where it is not there. */
export type ReadText = (path: string) => Promise<string>

/** Files within files, in all: an #INCLUDE may name its own file. */
const MOST_FILES = 16
const DOMAIN_CONTROLLERS = 0x1c
/** A plain name stands for these. */
const PLAIN: ReadonlySet<number> = new Set([SUFFIX.WORKSTATION, 0x03, SUFFIX.SERVER])

/**
 * Reads LMHOSTS with the files that it includes. Of the #INCLUDE lines between #BEGIN_ALTERNATE and #END_ALTERNATE the first readable one counts. What cannot be
 * read becomes a complaint; never rejects.
 */
export async function readLmhosts(path: string, read: ReadText): Promise<Lmhosts> {
  const entries: LmhostsEntry[] = []
  const complaints: string[] = []
  const seen = new Set<string>()

  const file = async (where: string): Promise<boolean> => {
    if (seen.has(where) || seen.size >= MOST_FILES) return false
    seen.add(where)
    let text: string
    try {
      text = await read(where)
    } catch (thrown) {
      complaints.push(`${where}: ${errnoOf(thrown) ?? asError(thrown).message}`)
      return false
    }
    let alternate: { done: boolean } | undefined
    for (const [i, line] of text.split(/\r?\n/).entries()) {
      const [, word = '', rest = ''] = /^\s*#(BEGIN_ALTERNATE|END_ALTERNATE|INCLUDE\s+(\S.*?))\s*$/i.exec(line) ?? []
      if (/^BEGIN/i.test(word)) alternate = { done: false }
      else if (/^END/i.test(word)) alternate = undefined
      else if (rest !== '') {
        if (alternate?.done === true) continue
        const found = await file(rest)
        if (alternate !== undefined) alternate.done = found
      } else {
        const entry = lineOf(line)
        if (typeof entry === 'string') complaints.push(`${where}:${i + 1}: ${entry}`)
        else if (entry !== undefined) entries.push(entry)
      }
    }
    return true
  }

  await file(path)
  return { entries, complaints }
}

/** An entry, undefined for an empty line, or what is wrong with it. */
function lineOf(line: string): LmhostsEntry | string | undefined {
  const [, address, quoted, plain, tags = ''] = /^\s*([^\s#]+)\s+(?:"([^"]*)"|([^\s#"]+))\s*(.*)$/.exec(line) ?? []
  if (address === undefined) return /^\s*(#.*)?$/.test(line) ? undefined : `not an address and a name: ${line.trim().slice(0, 60)}`
  if (!isIPv4(address)) return `not an address: ${address.slice(0, 60)}`
  const [, name = '', hex] = /^(.*?)(?:\\0x([0-9a-f]{2}))?$/is.exec(quoted ?? plain ?? '') ?? []
  const text = name.trimEnd().toUpperCase()
  if (!/^[\0-\xff]{1,15}$/.test(text)) return `not a NetBIOS name: ${name.slice(0, 60)}`
  return {
    address,
    text,
    suffix: hex === undefined ? undefined : Number.parseInt(hex, 16),
    preloaded: /#PRE\b/i.test(tags),
    domain: /#DOM:(\S+)/i.exec(tags)?.[1]?.toUpperCase(),
  }
}

/** The addresses of a name, in the file's order, without repetitions. */
export function findInLmhosts(entries: readonly LmhostsEntry[], { text, suffix }: Pick<NetbiosName, 'text' | 'suffix'>): readonly string[] {
  const found = entries.filter(entry => {
    if (suffix === DOMAIN_CONTROLLERS && entry.domain === text) return true
    return entry.text === text && (entry.suffix === undefined ? PLAIN.has(suffix) : entry.suffix === suffix)
  })
  return [...new Set(found.map(({ address }) => address))]
}
