import { NbtrunError } from '../base/errors.ts'

/** What `{mount}`, `{drive}` and `{share}` stand for: those of the first share. */
export interface Placeholders {
  readonly mount?: string | undefined
  readonly drive?: string | undefined
  readonly share?: string | undefined
}

/** Replaces the three words wherever they stand in `text`; all else, other braces included, stays as it is. Throws USAGE where one has no value. */
export function expand(text: string, values: Placeholders): string {
  return text.replace(/\{(mount|drive|share)\}/g, (word, name: keyof Placeholders) => {
    const value = values[name]
    if (value === undefined) throw new NbtrunError('USAGE', `${word} in ${text} has no value with this mapping`, { hint: 'write it out, or give --no-expand' })
    return value
  })
}
