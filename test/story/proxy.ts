import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** What stands between a client and the real server: sees each frame (without its 4-byte header) and says what goes on, if anything. */
export interface Meddler {
  readonly fromServer?: (frame: Buffer, tell: Wire) => Buffer | undefined
  readonly fromClient?: (frame: Buffer, tell: Wire) => Buffer | undefined
  /** The client's FIN: false keeps it from the server. */
  readonly fin?: (tell: Wire) => boolean
}

/** Both ends of one connection, for what a meddler does by itself. */
export interface Wire {
  readonly client: Socket
  readonly server: Socket
}

export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** Connections taken so far. */
  readonly taken: number
}

/** A relay to `target`, frame by frame; on loopback unless told. */
export async function proxy(target: { readonly host: string; readonly port: number }, meddler: Meddler, address = '127.0.0.1'): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let taken = 0
  const listener = createServer({ allowHalfOpen: true }, client => {
    taken++
    const server = connect({ ...target, allowHalfOpen: true })
    const wire: Wire = { client, server }
    for (const socket of [client, server]) socket.setNoDelay(true)
    for (const [from, to, change] of [
      [client, server, meddler.fromClient],
      [server, client, meddler.fromServer],
    ] as const) {
      sockets.add(from)
      let held = Buffer.alloc(0)
      from.on('data', chunk => {
        held = Buffer.concat([held, chunk])
        while (held.length >= 4 && held.length >= 4 + length(held)) {
          const end = 4 + length(held)
          const [head, frame] = [held.subarray(0, 4), Buffer.from(held.subarray(4, end))]
          held = held.subarray(end)
          const out = change === undefined || head[0] !== 0 ? frame : change(frame, wire)
          if (out === undefined) continue
          const header = Buffer.from(head)
          if (head[0] === 0) header.writeUIntBE(out.length, 1, 3)
          to.write(Buffer.concat([header, out]))
        }
      })
      from.on('end', () => (from === client && meddler.fin?.(wire) === false ? undefined : to.end()))
      from.on('error', () => to.destroy())
      from.on('close', () => sockets.delete(from))
    }
  })
  await new Promise<void>(resolve => listener.listen(0, address, resolve))
  return {
    port: (listener.address() as AddressInfo).port,
    get taken() {
      return taken
    },
    async [Symbol.asyncDispose]() {
      for (const s of sockets) s.destroy()
      await new Promise(resolve => listener.close(resolve))
    },
  }
}

function length(frame: Buffer): number {
  return frame.readUIntBE(1, 3)
}

/** SMB2 header fields by their place: [MS-SMB2] 2.2.1. */
export const field = {
  status: (m: Buffer): number => m.readUInt32LE(8),
  command: (m: Buffer): number => m.readUInt16LE(12),
  flags: (m: Buffer): number => m.readUInt32LE(16),
  next: (m: Buffer): number => m.readUInt32LE(20),
  messageId: (m: Buffer): bigint => m.readBigUInt64LE(24),
}
