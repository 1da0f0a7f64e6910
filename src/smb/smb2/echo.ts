import { refused, STATUS } from '../status.ts'
import type { Call, Reply } from './call.ts'
import { empty } from './tree-connect.ts'

/** Asks whether the server is there. [MS-SMB2] 2.2.28. */
export async function askEcho(asker: { request<T>(call: Call<T>): Promise<Reply> }, timeoutMs: number, onSent?: () => void): Promise<void> {
  const reply = await asker.request({ command: 'ECHO', codec: empty, body: null, timeoutMs, ...(onSent === undefined ? {} : { onSent }) })
  if (reply.header.status !== STATUS.SUCCESS) throw refused(reply.header.status, 'asking whether the server is there')
}
