import { type Codec, WireError } from '../../base/wire.ts'
import { getBlock, putBlock, spanOf } from './block.ts'
import { HEADER_SIZE } from './header.ts'
import { getText, putText } from './text.ts'

/** Subcommands of TRANSACTION2, [MS-CIFS] 2.2.6, and the one of TRANSACTION that is used here, 2.2.5. */
export const TRANS2 = {
  FIND_FIRST2: 0x01,
  FIND_NEXT2: 0x02,
  QUERY_FS_INFORMATION: 0x03,
  QUERY_PATH_INFORMATION: 0x05,
  QUERY_FILE_INFORMATION: 0x07,
  SET_FILE_INFORMATION: 0x08,
} as const
export const TRANSACT_NMPIPE = 0x26

export interface TransactionRequest {
  readonly setup: readonly number[]
  /** `\PIPE\` in TRANSACTION; empty in TRANSACTION2. */
  readonly name: string
  readonly unicode: boolean
  readonly parameters: Buffer
  readonly data: Buffer
  /** The most that may come back. */
  readonly maxParameters: number
  readonly maxData: number
}

/** TRANSACTION and TRANSACTION2 request, in one message. [MS-CIFS] 2.2.4.33.1 and 2.2.4.46.1. */
export const transactionRequest: Codec<TransactionRequest> = {
  name: 'SMB1 TRANSACTION request',
  put(w, m) {
    const { setup, parameters, data } = m
    let offsetsAt = 0
    putBlock(
      w,
      () => {
        w.u16(parameters.length).u16(data.length).u16(m.maxParameters).u16(m.maxData).u8(0).u8(0) // MaxSetupCount, Reserved1
        w.u16(0).u32(0).u16(0) // Flags, Timeout, Reserved2
        offsetsAt = w.pos
        w.u16(parameters.length).u16(0).u16(data.length).u16(0).u8(setup.length).u8(0)
        for (const word of setup) w.u16(word)
      },
      (_, start) => {
        if (m.name === '') w.u8(0)
        else putText(w, m.name, m.unicode, start)
        w.align(4, start)
        w.patchU16(offsetsAt + 2, HEADER_SIZE + w.pos - start)
        w.bytes(parameters).align(4, start)
        w.patchU16(offsetsAt + 6, HEADER_SIZE + w.pos - start)
        w.bytes(data)
      },
    )
  },
  get(r) {
    const { words, bytes, bytesAt } = getBlock(r, 15, 16)
    const [parameterTotal, dataTotal] = [words.u16(), words.u16()]
    const maxParameters = words.u16()
    const maxData = words.u16()
    words.skip(10) // MaxSetupCount to Reserved2
    words.fixed('ParameterCount', parameterTotal, words.u16())
    const parameterOffset = words.u16()
    words.fixed('DataCount', dataTotal, words.u16())
    const dataOffset = words.u16()
    words.fixed('SetupCount', (words.left - 2) / 2, words.u8())
    words.skip(1) // Reserved3
    const setup: number[] = []
    while (words.left > 0) setup.push(words.u16())
    const unicode = bytes.buf.includes('\\\0P\0', 0, 'latin1')
    const name = setup.length === 1 ? '' : getText(bytes, unicode, bytesAt)
    return { setup, name, unicode, parameters: spanOf(r, parameterOffset, parameterTotal), data: spanOf(r, dataOffset, dataTotal), maxParameters, maxData }
  },
}

/** One message of an answer, which may come in several. */
export interface TransactionPart {
  readonly parameterTotal: number
  readonly dataTotal: number
  readonly parameters: Buffer
  readonly parametersAt: number
  readonly data: Buffer
  readonly dataAt: number
}

/** TRANSACTION and TRANSACTION2 response. [MS-CIFS] 2.2.4.33.2 and 2.2.4.46.2. */
export const transactionResponse: Codec<TransactionPart> = {
  name: 'SMB1 TRANSACTION response',
  put(w, m) {
    const at = HEADER_SIZE + 1 + 20 + 2 + 1
    const dataAt = at + m.parameters.length + (m.parameters.length % 2)
    putBlock(
      w,
      () => {
        w.u16(m.parameterTotal).u16(m.dataTotal).u16(0)
        w.u16(m.parameters.length).u16(at).u16(m.parametersAt).u16(m.data.length).u16(dataAt).u16(m.dataAt).u8(0).u8(0)
      },
      (_, start) => w.u8(0).bytes(m.parameters).align(2, start).bytes(m.data),
    )
  },
  get(r) {
    const { words } = getBlock(r, 10, 11, 12)
    const parameterTotal = words.u16()
    const dataTotal = words.u16()
    words.skip(2) // Reserved1
    const [parameterCount, parameterOffset, parametersAt] = [words.u16(), words.u16(), words.u16()]
    const [dataCount, dataOffset, dataAt] = [words.u16(), words.u16(), words.u16()]
    const parameters = spanOf(r, parameterOffset, parameterCount)
    return { parameterTotal, dataTotal, parameters, parametersAt, data: spanOf(r, dataOffset, dataCount), dataAt }
  },
}

export interface Transacted {
  readonly parameters: Buffer
  readonly data: Buffer
}

/** Puts an answer together from its messages, which come in any order and must not overlap. No room is made that was not offered. */
export class Gathering {
  readonly #room: Pick<TransactionRequest, 'maxParameters' | 'maxData'>
  #parameters: Part | undefined
  #data: Part | undefined

  constructor(room: Pick<TransactionRequest, 'maxParameters' | 'maxData'>) {
    this.#room = room
  }

  /** Whether this was the last one. */
  add(part: TransactionPart): boolean {
    this.#parameters = gather(this.#parameters, part.parameterTotal, this.#room.maxParameters, part.parameters, part.parametersAt)
    this.#data = gather(this.#data, part.dataTotal, this.#room.maxData, part.data, part.dataAt)
    const isLast = this.#parameters.have >= this.#parameters.total && this.#data.have >= this.#data.total
    if (!isLast && part.parameters.length + part.data.length === 0) throw new WireError('SMB1 TRANSACTION response: a part with nothing in it', 0)
    return isLast
  }

  done(): Transacted {
    return { parameters: bytesOf(this.#parameters), data: bytesOf(this.#data) }
  }
}

interface Part {
  /** The first message names it, a later one may lower it. */
  readonly total: number
  readonly have: number
  readonly buffer: Buffer
}

function gather(before: Part | undefined, total: number, room: number, bytes: Buffer, at: number): Part {
  if (total > (before?.total ?? room)) throw new WireError(`SMB1 TRANSACTION response: ${total} bytes where ${before?.total ?? room} are possible`, 0)
  if (before === undefined && at === 0 && bytes.length === total) return { total, have: total, buffer: bytes }
  const { buffer, have } = before ?? { buffer: Buffer.alloc(total), have: 0 }
  if (at > buffer.length || bytes.length > buffer.length - at) throw new WireError(`SMB1 TRANSACTION response: bytes ${at}+${bytes.length} are outside`, 0)
  bytes.copy(buffer, at)
  if (have + bytes.length > buffer.length) throw new WireError('SMB1 TRANSACTION response: parts that overlap', 0)
  return { total, have: have + bytes.length, buffer }
}

function bytesOf(part: Part | undefined): Buffer {
  return part === undefined ? Buffer.alloc(0) : part.buffer.subarray(0, part.total)
}
