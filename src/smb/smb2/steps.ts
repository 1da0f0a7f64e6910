import { decode, type Codec } from '../../base/wire.ts'
import type { Call, Reply } from './call.ts'
import { ALL_INFORMATION_LENGTH, DELETE_ON_CLOSE, FILE_CLASS, renameInformation } from '../fscc.ts'
import { bufferResponse, INFO, queryInfoRequest, setInfoRequest, setInfoResponse } from './info.ts'
import { refused, STATUS } from '../status.ts'

/** One request on an open file, and what its answer means. */
export interface Step<R> {
  /** As shown to people, before the file's name: `removing`. */
  readonly doing: string
  call(fileId: Buffer): Call<unknown>
  /** Throws WireError, or what the server refused; `what` says what was being done. */
  result(reply: Reply, what: string): R
}

/** QUERY_INFO. A buffer too small for what follows the fixed part is fine: only the fixed part is decoded. */
export function queryInfo<R>(infoType: number, infoClass: number, codec: Codec<R>): Step<R> {
  return {
    doing: 'asking about',
    call: fileId => ({ command: 'QUERY_INFO', codec: queryInfoRequest, body: { fileId, infoType, infoClass, maxLength: ALL_INFORMATION_LENGTH } }),
    result: ({ header: { status }, body }, what) => {
      if (status !== STATUS.SUCCESS && status !== STATUS.BUFFER_OVERFLOW) throw refused(status, what)
      return decode(codec, decode(bufferResponse, body).data)
    },
  }
}

export function setInfo(infoClass: number, data: Buffer, doing: string): Step<void> {
  return {
    doing,
    call: fileId => ({ command: 'SET_INFO', codec: setInfoRequest, body: { fileId, infoType: INFO.FILE, infoClass, data } }),
    result: ({ header: { status }, body }, what) => {
      if (status !== STATUS.SUCCESS) throw refused(status, what)
      decode(setInfoResponse, body)
    },
  }
}

export const deletion: Step<void> = setInfo(FILE_CLASS.DISPOSITION, DELETE_ON_CLOSE, 'removing')

/** To a whole new path on the share. */
export function renaming(path: string, replace: boolean): Step<void> {
  return setInfo(FILE_CLASS.RENAME, renameInformation(path, replace), 'renaming')
}
