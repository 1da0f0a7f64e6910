import { WireError, type Codec } from '../../../base/wire.ts'
import { NdrReader, NdrWriter } from '../ndr.ts'
import { NERR } from './errors.ts'
import { getStructs, putStructs, type Shape, type Struct } from '../struct.ts'

/** The Enum calls of the server service are alike: [MS-SRVS] 3.1.4.1, .2, .5 and .8. */
export type EnumRequest<Filter extends string> = {
  /** `\\SRV` */
  readonly server: string
  readonly level: number
  /** Where to go on, as the answer before this one said; 0 at first, null for all at once. */
  readonly resume: number | null
} & { readonly [F in Filter]: string | null }

export interface EnumResponse<S extends Shape> {
  readonly entries: readonly Struct<S>[]
  /** How many there are from where this answer began. */
  readonly total: number
  readonly resume: number | null
  /** A Win32 error. */
  readonly status: number
}

const ALL = 0xffff_ffff

/** `filters`: the parameters between the server and the level, in their order. */
export function enumRequest<Filter extends string = never>(name: string, ...filters: readonly Filter[]): Codec<EnumRequest<Filter>> {
  return {
    name: `${name} request`,
    put(w, m) {
      const ndr = new NdrWriter(w).uniqueText(m.server)
      for (const filter of filters) ndr.uniqueText((m as Readonly<Record<string, string | null>>)[filter] ?? null)
      ndr.u32(m.level).u32(m.level) // Level, and the union's own
      ndr.pointer(true)
      ndr.u32(0).pointer(false) // EntriesRead, Buffer
      ndr.u32(ALL).uniqueU32(m.resume) // PreferedMaximumLength, ResumeHandle
    },
    get(r) {
      const ndr = new NdrReader(r)
      const server = ndr.uniqueText() ?? ''
      const given: Record<string, string | null> = {}
      for (const filter of filters) given[filter] = ndr.uniqueText()
      const level = ndr.u32()
      r.fixed('level of the union', level, ndr.u32())
      if (ndr.pointer()) {
        r.fixed('EntriesRead', 0, ndr.u32())
        if (ndr.pointer()) throw new WireError('a request with entries in it', r.pos)
      }
      ndr.u32() // PreferedMaximumLength
      return { server, level, resume: ndr.uniqueU32(), ...given } as EnumRequest<Filter>
    },
  }
}

/** The answer at one level. One at another level is taken for INVALID_LEVEL: who answers so does not know the one that was asked for. */
export function enumResponse<S extends Shape>(name: string, level: number, shape: S): Codec<EnumResponse<S>> {
  return {
    name: `${name} response`,
    put(w, m) {
      const ndr = new NdrWriter(w).u32(level).u32(level)
      ndr.pointer(true)
      ndr.u32(m.entries.length)
      if (ndr.pointer(m.entries.length > 0)) {
        ndr.u32(m.entries.length)
        putStructs(ndr, shape, m.entries)
      }
      ndr.u32(m.total).uniqueU32(m.resume).u32(m.status)
    },
    get(r) {
      const ndr = new NdrReader(r)
      const answered = ndr.u32()
      r.fixed('level of the union', answered, ndr.u32())
      if (answered !== level) return { entries: [], total: 0, resume: null, status: NERR.INVALID_LEVEL }
      let entries: readonly Struct<S>[] = []
      if (ndr.pointer()) {
        const count = ndr.u32()
        if (ndr.pointer()) {
          r.fixed('size of the array', count, ndr.u32())
          entries = getStructs(ndr, shape, count)
        } else r.fixed('EntriesRead without entries', 0, count)
      }
      return { entries, total: ndr.u32(), resume: ndr.uniqueU32(), status: ndr.u32() }
    },
  }
}
