import { execa } from 'execa'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type Codec, decode, encode, Writer } from '../../src/base/wire.ts'
import { bind, bindAck, fault, NDR32, PDU, PFC, request, response } from '../../src/smb/rpc/pdu.ts'
import { createRequest, createResponse } from '../../src/smb/smb2/create.ts'
import { COMMAND, FLAG, header, HEADER_SIZE, type Header } from '../../src/smb/smb2/header.ts'
import { ioctlRequest, ioctlResponse } from '../../src/smb/smb2/ioctl.ts'
import { closeResponse, readRequest, readResponse, writeRequest, writeResponse } from '../../src/smb/smb2/io.ts'
import { negotiateResponse } from '../../src/smb/smb2/negotiate.ts'
import { SESSION_FLAG, sessionSetupResponse } from '../../src/smb/smb2/session-setup.ts'
import { empty, SHARE_TYPE, treeConnectResponse } from '../../src/smb/smb2/tree-connect.ts'
import { STATUS } from '../../src/smb/status.ts'
import { SPNEGO_CHALLENGE } from '../vectors/vectors.ts'
import { framed, listen, type Listener } from './story.ts'

/** What the server service answers to a call: a stub, or a fault's status. */
export type Service = (opnum: number, stub: Buffer) => Buffer | number

export interface WindowsOptions {
  /** The most stub that one fragment of an answer has. */
  readonly fragment?: number
  /** Changes a whole answer, its fragments one behind the other, before it is sent. */
  readonly garble?: (answer: Buffer) => Buffer
}

/** A server that lets guests in, speaks SMB 2.1, and has a server service as Windows has one: its pipe is in message mode. */
export function windows(service: Service, { fragment = 4256, garble = answer => answer }: WindowsOptions = {}): Promise<Listener> {
  return listen(socket => serve(socket, service, fragment, garble))
}

/** nbtrun as a guest on that server. */
export async function asGuest({ port }: Listener, command: string, ...words: string[]): Promise<{ code: number | undefined; stdout: string; stderr: string }> {
  const own = [command, '//127.0.0.1', ...words, '--guest', '--port', String(port), '--io-timeout', '10s']
  const { exitCode, stdout, stderr } = await execa(join(import.meta.dirname, '..', '..', 'bin', 'nbtrun.js'), own, { reject: false, timeout: 60_000 })
  return { code: exitCode, stdout, stderr }
}

const FILE = Buffer.alloc(16, 7)
const DIALECT = 0x0210
const CREATED = { oplockLevel: 0, createAction: 1, created: 0n, accessed: 0n, written: 0n, changed: 0n, allocation: 0, size: 0, attributes: 0x80, contexts: [] }

function serve(socket: Socket, service: Service, fragment: number, garble: (answer: Buffer) => Buffer): void {
  let held = Buffer.alloc(0)
  let rounds = 0
  const asked: Buffer[] = []
  let answer: Buffer = Buffer.alloc(0)

  /** Takes what is next of the answer: a whole fragment, or as much of it as there is room for. */
  const take = (room: number): { data: Buffer; status: number } => {
    const length = answer.length >= 10 ? Math.min(answer.readUInt16LE(8), answer.length) : answer.length
    const data = answer.subarray(0, Math.min(room, length))
    answer = answer.subarray(data.length)
    return { data, status: data.length < length ? STATUS.BUFFER_OVERFLOW : STATUS.SUCCESS }
  }
  const respond = (): void => {
    answer = garble(rpc(asked.splice(0), service, fragment))
  }

  const reply = (h: Header, message: Buffer): Buffer => {
    const body = message.subarray(HEADER_SIZE)
    switch (h.command) {
      case COMMAND.NEGOTIATE:
        return said(h, negotiateResponse, {
          securityMode: 1,
          dialect: DIALECT,
          serverGuid: Buffer.alloc(16, 9),
          capabilities: 0,
          maxTransactSize: 65_536,
          maxReadSize: 65_536,
          maxWriteSize: 65_536,
          systemTime: 133_000_000_000_000_000n,
          serverStartTime: 0n,
          securityBuffer: Buffer.alloc(0),
          contexts: [],
        })
      case COMMAND.SESSION_SETUP:
        rounds++
        return rounds === 1
          ? said(h, sessionSetupResponse, { sessionFlags: 0, securityBuffer: SPNEGO_CHALLENGE }, STATUS.MORE_PROCESSING_REQUIRED)
          : said(h, sessionSetupResponse, { sessionFlags: SESSION_FLAG.IS_GUEST, securityBuffer: Buffer.alloc(0) })
      case COMMAND.TREE_CONNECT:
        return said(h, treeConnectResponse, { shareType: SHARE_TYPE.PIPE, shareFlags: 0, capabilities: 0, maximalAccess: 0x1f01ff })
      case COMMAND.CREATE:
        if (decode(createRequest, body).name !== 'srvsvc') return said(h, empty, null, STATUS.OBJECT_NAME_NOT_FOUND)
        return said(h, createResponse, { ...CREATED, fileId: FILE })
      case COMMAND.WRITE: {
        const { data } = decode(writeRequest, body)
        asked.push(Buffer.from(data))
        return said(h, writeResponse, { count: data.length })
      }
      case COMMAND.IOCTL: {
        const { code, input, maxOutput } = decode(ioctlRequest, body)
        asked.push(Buffer.from(input))
        respond()
        const { data, status } = take(maxOutput)
        return said(h, ioctlResponse, { code, fileId: FILE, output: data }, status)
      }
      case COMMAND.READ: {
        if (answer.length === 0) return said(h, empty, null, STATUS.PIPE_BROKEN)
        const { data, status } = take(decode(readRequest, body).length)
        return said(h, readResponse, { data }, status)
      }
      case COMMAND.CLOSE:
        return said(h, closeResponse, null)
      default:
        return said(h, empty, null)
    }
  }

  socket.on('data', chunk => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 4 && held.length >= 4 + held.readUIntBE(1, 3)) {
      const message = Buffer.from(held.subarray(4, 4 + held.readUIntBE(1, 3)))
      held = held.subarray(4 + message.length)
      socket.write(framed(reply(decode(header, message), message)))
    }
  })
  socket.on('end', () => socket.end())
}

function said<T>(h: Header, codec: Codec<T>, body: T, status: number = STATUS.SUCCESS): Buffer {
  const w = new Writer()
  const sessionId = h.command === COMMAND.NEGOTIATE ? 0n : 1n
  header.put(w, { ...h, status, flags: FLAG.SERVER_TO_REDIR, credits: 64, treeId: h.command === COMMAND.NEGOTIATE ? 0 : 1, sessionId })
  codec.put(w, body)
  return w.done()
}

/** The other end of the pipe: one call in its fragments, and the whole answer to it. */
function rpc(fragments: readonly Buffer[], service: Service, size: number): Buffer {
  const [first = Buffer.alloc(0)] = fragments
  if (first[2] === PDU.BIND) {
    const { callId } = decode(bind, first)
    return encode(bindAck, { callId, maxSends: 4280, maxTakes: 4280, address: '\\PIPE\\srvsvc', result: 0, reason: 0, transfer: NDR32 })
  }
  const parts = fragments.map(bytes => decode(request, bytes))
  const { callId, opnum } = parts[0]!
  const stub = service(opnum, Buffer.concat(parts.map(part => part.stub)))
  if (typeof stub === 'number') return encode(fault, { callId, status: stub })
  const answers: Buffer[] = []
  for (let at = 0; at === 0 || at < stub.length; at += size) {
    const flags = (at === 0 ? PFC.FIRST : 0) | (at + size >= stub.length ? PFC.LAST : 0)
    answers.push(encode(response, { callId, flags, hint: stub.length - at, stub: stub.subarray(at, at + size) }))
  }
  return Buffer.concat(answers)
}
