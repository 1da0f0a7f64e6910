/** The variables of a batch file, as far as the file itself sets them, or somebody told us. */
export class Variables {
  readonly #values = new Map<string, { readonly name: string; readonly value: string }>()
  readonly #used = new Set<string>()

  constructor(defined: readonly { readonly name: string; readonly value: string }[]) {
    for (const { name, value } of defined) this.set(name, value)
  }

  set(name: string, value: string): void {
    this.#values.set(name.toUpperCase(), { name, value })
  }

  forget(name: string): void {
    this.#values.delete(name.toUpperCase())
  }

  /** Was its value put into another line? */
  used(name: string): boolean {
    return this.#used.has(name.toUpperCase())
  }

  has(name: string): boolean {
    return this.#values.has(name.toUpperCase())
  }

  /** What is known is put in; `%%` is a percent sign; what is not known stays. */
  expand(line: string): string {
    return line.replace(/%%|%(\d)|%([^%:*~\d\s][^%:]*)%/g, (whole, digit?: string, word?: string) => {
      const name = digit ?? word
      if (name === undefined) return PERCENT
      const known = this.#values.get(name.toUpperCase())
      if (known === undefined) return whole
      this.#used.add(name.toUpperCase())
      return known.value
    })
  }
}

/** Stands for a percent sign that is one, until `unknownIn` has looked. */
const PERCENT = '\ue025'

/** A reference that nobody could resolve: `%X%`, `%1`, `%*`, `%~dp0`, `!X!`. */
export function unknownIn(text: string): string | undefined {
  return /%(?:~[a-z]*\d|\*|\d|[^%\s]+%)|![A-Za-z_]\w*!/i.exec(text)?.[0]
}

export const plainText = (text: string): string => text.replaceAll(PERCENT, '%')
