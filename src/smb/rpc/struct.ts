import type { NdrReader, NdrWriter } from './ndr.ts'

/** A flat structure: numbers of 32 bits and pointers to strings, in the order of the specification. */
export type Shape = Readonly<Record<string, 'u32' | 'text'>>

/** Its value. A pointer to nothing reads as the empty text. */
export type Struct<S extends Shape> = { readonly [K in keyof S]: S[K] extends 'text' ? string : number }

/** Structures side by side, then what their pointers point to. [C706] 14.3.12.3. */
export function putStructs<S extends Shape>(ndr: NdrWriter, shape: S, values: readonly Struct<S>[]): void {
  const texts: string[] = []
  for (const value of values)
    for (const field of Object.keys(shape)) {
      const part: string | number = value[field]!
      if (typeof part === 'number') ndr.u32(part)
      else if (ndr.pointer(true)) texts.push(part)
    }
  for (const text of texts) ndr.text(text)
}

/** `count` is the peer's: reading ends where the bytes do. */
export function getStructs<S extends Shape>(ndr: NdrReader, shape: S, count: number): Struct<S>[] {
  const values: Record<string, number | string>[] = []
  const texts: (() => void)[] = []
  for (let i = 0; i < count; i++) {
    const value: Record<string, number | string> = {}
    for (const [field, kind] of Object.entries(shape)) {
      if (kind === 'u32') value[field] = ndr.u32()
      else {
        value[field] = ''
        if (ndr.pointer()) texts.push(() => void (value[field] = ndr.text()))
      }
    }
    values.push(value)
  }
  for (const read of texts) read()
  return values as Struct<S>[]
}
