import type { Codec } from '../../base/wire.ts'
import { HEADER_SIZE } from './header.ts'
import { bodySpan } from './negotiate.ts'

/** [MS-SMB2] 2.2.31: control codes. */
export const FSCTL = { PIPE_TRANSCEIVE: 0x0011_c017, VALIDATE_NEGOTIATE_INFO: 0x0014_0204 } as const

/** For control codes that are about no file. */
export const NO_FILE = Buffer.alloc(16, 0xff)

export interface IoctlRequest {
  readonly code: number
  /** 16 bytes. */
  readonly fileId: Buffer
  readonly input: Buffer
  /** The most bytes that the answer may hold. */
  readonly maxOutput: number
}

export interface IoctlResponse {
  readonly code: number
  readonly fileId: Buffer
  readonly output: Buffer
}

const REQUEST_SIZE = 56
const RESPONSE_SIZE = 48
/** All our codes are file system controls. */
const IS_FSCTL = 1

/** IOCTL request. [MS-SMB2] 2.2.31. */
export const ioctlRequest: Codec<IoctlRequest> = {
  name: 'SMB2 IOCTL request',
  put(w, m) {
    const at = HEADER_SIZE + REQUEST_SIZE
    w.u16(REQUEST_SIZE + 1)
      .u16(0)
      .u32(m.code)
      .bytes(m.fileId)
    w.u32(at).u32(m.input.length).u32(0) // InputOffset, InputCount, MaxInputResponse
    w.u32(at).u32(0).u32(m.maxOutput) // OutputOffset, OutputCount, MaxOutputResponse
    w.u32(IS_FSCTL).u32(0).bytes(m.input)
  },
  get(r) {
    r.fixed('StructureSize', REQUEST_SIZE + 1, r.u16())
    r.skip(2) // Reserved
    const code = r.u32()
    const fileId = r.bytes(16)
    const offset = r.u32()
    const length = r.u32()
    r.skip(12) // MaxInputResponse, OutputOffset, OutputCount
    const maxOutput = r.u32()
    r.fixed('Flags', IS_FSCTL, r.u32())
    r.skip(4) // Reserved2
    return { code, fileId, input: bodySpan(r, offset, length), maxOutput }
  },
}

/** IOCTL response. [MS-SMB2] 2.2.32. What servers echo of the input is nobody's concern. */
export const ioctlResponse: Codec<IoctlResponse> = {
  name: 'SMB2 IOCTL response',
  put(w, m) {
    const at = HEADER_SIZE + RESPONSE_SIZE
    w.u16(RESPONSE_SIZE + 1)
      .u16(0)
      .u32(m.code)
      .bytes(m.fileId)
    w.u32(at).u32(0).u32(at).u32(m.output.length).u32(0).u32(0).bytes(m.output)
  },
  get(r) {
    r.fixed('StructureSize', RESPONSE_SIZE + 1, r.u16())
    r.skip(2) // Reserved
    const code = r.u32()
    const fileId = Buffer.from(r.bytes(16))
    r.skip(8) // InputOffset, InputCount
    const offset = r.u32()
    const length = r.u32()
    r.skip(8) // Flags, Reserved2
    return { code, fileId, output: bodySpan(r, offset, length) }
  },
}
