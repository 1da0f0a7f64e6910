import type { Codec } from '../../../base/wire.ts'

/** struct fuse_init_in. Kernels before 7.36 send only the first 16 bytes. */
export interface InitRequest {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flags: number
  readonly flags2: number
}

export const initRequest: Codec<InitRequest> = {
  name: 'FUSE INIT request',
  put(w, m) {
    w.u32(m.major).u32(m.minor).u32(m.maxReadahead).u32(m.flags).u32(m.flags2).zeros(44) // unused
  },
  get(r) {
    const major = r.u32(),
      minor = r.u32(),
      maxReadahead = r.u32(),
      flags = r.u32()
    if (minor < 36) return { major, minor, maxReadahead, flags, flags2: 0 }
    const flags2 = r.u32()
    r.skip(44) // unused
    return { major, minor, maxReadahead, flags, flags2 }
  },
}

/** struct fuse_init_out, 64 bytes. */
export interface InitReply {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flags: number
  readonly maxBackground: number
  readonly congestionThreshold: number
  readonly maxWrite: number
  /** Nanoseconds. */
  readonly timeGranularity: number
  readonly maxPages: number
  readonly flags2: number
}

export const initReply: Codec<InitReply> = {
  name: 'FUSE INIT reply',
  put(w, m) {
    w.u32(m.major).u32(m.minor).u32(m.maxReadahead).u32(m.flags)
    w.u16(m.maxBackground).u16(m.congestionThreshold).u32(m.maxWrite).u32(m.timeGranularity)
    w.u16(m.maxPages).zeros(2).u32(m.flags2).zeros(28) // map_alignment; max_stack_depth, unused
  },
  get(r) {
    const major = r.u32(),
      minor = r.u32(),
      maxReadahead = r.u32(),
      flags = r.u32()
    const maxBackground = r.u16(),
      congestionThreshold = r.u16(),
      maxWrite = r.u32(),
      timeGranularity = r.u32()
    const maxPages = r.u16()
    r.skip(2) // map_alignment
    const flags2 = r.u32()
    r.skip(28) // max_stack_depth, unused
    return { major, minor, maxReadahead, flags, maxBackground, congestionThreshold, maxWrite, timeGranularity, maxPages, flags2 }
  },
}
