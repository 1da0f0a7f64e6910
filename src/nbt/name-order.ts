import { NbtrunError } from '../base/errors.ts'

/** Where a name is looked for, in the words of `--name-order`. */
export const NAME_SOURCES = ['lmhosts', 'dns', 'wins', 'bcast'] as const
export type NameSource = (typeof NAME_SOURCES)[number]

/** Anybody on the wire may answer a broadcast: it is asked only by those who say so. */
export const NAME_ORDER: readonly NameSource[] = ['lmhosts', 'dns', 'wins']

/** `lmhosts,dns`; `host` is another word for dns. USAGE when it is no such list. */
export function parseNameOrder(written: string): readonly NameSource[] {
  const words = written.toLowerCase().split(',')
  const order = words.map(word => NAME_SOURCES.find(source => source === (word.trim() === 'host' ? 'dns' : word.trim())))
  if (order.includes(undefined) || new Set(order).size !== order.length)
    throw new NbtrunError('USAGE', `must be some of ${NAME_SOURCES.join(',')}, each once, not ${JSON.stringify(written.slice(0, 60))}`)
  return order.filter(source => source !== undefined)
}
