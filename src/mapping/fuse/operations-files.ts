import type { OpenFile, OpenOptions } from '../../smb/files.ts'
import { READONLY } from './attributes.ts'
import type { Ask } from './desk.ts'
import type { Device } from './device.ts'
import { fault, isErrno, isLockConflict } from './errno.ts'
import type { FileHandle } from './handles.ts'
import { fcntlOwner } from './operations-locks.ts'
import { FOPEN_DIRECT_IO, O, OP, WRITE_CACHE } from './protocol/constants.ts'
import { createReply, flushRequest, fsyncRequest, openReply, openRequest, readRequest, releaseRequest, writeReply, writeRequest } from './protocol/io.ts'
import { createRequest } from './protocol/names.ts'
import type { Operations, Share } from './share.ts'

/** Data up to this length is copied out of the message; above, the message's buffer is kept until the server has it. */
const COPY_LENGTH = 64 * 1024

/** Opening, reading, writing, closing. */
export function fileOperations(share: Share, device: () => Device): Operations {
  const { files, nodes, handles, counters } = share

  return {
    [OP.OPEN]: async (ask, r) => {
      const flags = openRequest.get(r)
      const node = nodes.get(ask.header.nodeId)
      const { read, write } = access(flags)
      if (write) share.mayWrite()
      const file = await open(share, nodes.path(node), { read, write, directory: false }, (flags & O.TRUNC) !== 0)
      if (nodes.isOther(node, file.info)) {
        await handles.close(file, node.name)
        throw fault('ESTALE', `${node.name}, replaced meanwhile`) // the kernel looks again
      }
      const handle = handles.addFile(node, file, read, write)
      if (!(await ask.offer(w => openReply.put(w, { fh: handle.fh, flags: FOPEN_DIRECT_IO })))) await handles.releaseFile(handle)
    },

    [OP.CREATE]: async (ask, r) => {
      const { flags, mode, name: local } = createRequest.get(r)
      share.mayWrite()
      const { parent, name, path } = share.placeIn(nodes.get(ask.header.nodeId), local)
      const { read, write } = access(flags)
      const file = await create(share, path, { read, write, writeAttributes: true, directory: false }, flags, (mode & 0o222) === 0)
      const info = await file.stat()
      const node = nodes.enter(parent, name, info)
      const handle = handles.addFile(node, file, read, write)
      const entry = { nodeId: node.id, attributes: share.attributes(node, info) }
      if (await ask.offer(w => createReply.put(w, { entry, open: { fh: handle.fh, flags: FOPEN_DIRECT_IO } }))) return
      nodes.forget(node, 1)
      await handles.releaseFile(handle)
    },

    [OP.READ]: async (ask, r) => {
      const { fh, offset, size } = readRequest.get(r)
      const handle = usable(handles.file(fh))
      const data = await read(handle, offset, size)
      counters.bytesRead += data.length
      ask.answerBytes(data)
    },

    [OP.WRITE]: async (ask, r) => {
      const { fh, offset, writeFlags, flags, data: view } = writeRequest.get(r)
      const handle = usable(handles.file(fh))
      const kept = view.length > COPY_LENGTH ? device().keep() : undefined
      const data = kept === undefined ? Buffer.from(view) : view
      const appends = (flags & O.APPEND) !== 0 && (writeFlags & WRITE_CACHE) === 0
      const work = appends ? append(ask, handle, data) : write(ask, handle, offset, data)
      handle.writes.set(ask, work)
      try {
        await work
        counters.bytesWritten += data.length
        ask.answer(writeReply, data.length)
      } finally {
        handle.writes.delete(ask)
        if (kept !== undefined) device().giveBack(kept)
      }
    },

    /** close(2) of one descriptor. What the program wrote was answered write by write; here those of its other threads are awaited. */
    [OP.FLUSH]: async (ask, r) => {
      const { fh, owner } = flushRequest.get(r)
      const handle = handles.file(fh)
      await Promise.all([handle.answered(), handle.node.locks?.unlockAll(fcntlOwner(owner))])
      usable(handle)
      ask.done()
    },

    [OP.RELEASE]: async (ask, r) => {
      const handle = handles.file(releaseRequest.get(r).fh)
      ask.done() // nobody waits for the close
      await handles.releaseFile(handle)
    },

    /** fsync(2) works on a descriptor for reading too, the server's FLUSH does not. */
    [OP.FSYNC]: async (ask, r) => {
      const handle = usable(handles.file(fsyncRequest.get(r)))
      await Promise.all([...handle.node.handles].map(h => h.settled()))
      const writer = handle.writable ? handle : [...handle.node.handles].find(h => h.writable)
      if (writer !== undefined) await writer.file.flush()
      else if (!share.owner.readOnly && handle.node.linked) await flushByPath(share, nodes.path(handle.node))
      ask.done()
    },

    [OP.FALLOCATE]: () => {
      throw fault('EOPNOTSUPP', 'reserving space')
    },
  }

  async function flushByPath(share: Share, path: string): Promise<void> {
    try {
      await share.withOpen(path, { write: true, directory: false }, file => file.flush())
    } catch (error) {
      if (!isErrno(error, 'EACCES')) throw error // who may not write has nothing to flush
    }
  }

  function open(share: Share, path: string, options: OpenOptions, truncate: boolean): Promise<OpenFile> {
    if (!truncate) return files.open(path, options)
    return files.open(path, { ...options, disposition: 'overwrite' }).catch(async (error: unknown) => {
      if (!isErrno(error, 'EACCES')) throw error
      // overwriting must name the attributes of a hidden or system file; truncating need not
      const file = await files.open(path, options)
      try {
        await file.truncate(0)
      } catch (refused) {
        await handles.close(file, path)
        throw refused
      }
      return file
    })
  }

  /** A file made with a mode that lets nobody write becomes READONLY, yet this open may write: that is how such files are made. */
  async function create(share: Share, path: string, options: OpenOptions, flags: number, readOnly: boolean): Promise<OpenFile> {
    let file: OpenFile
    try {
      file = await files.open(path, { ...options, disposition: 'create' })
    } catch (error) {
      if ((flags & O.EXCL) !== 0 || !isErrno(error, 'EEXIST')) throw error
      return files.open(path, { ...options, disposition: (flags & O.TRUNC) === 0 ? 'open-or-create' : 'overwrite-or-create' })
    }
    if (readOnly) await file.setAttributes(file.info.attributes | READONLY).catch((error: unknown) => share.warn(`${path} stays writable: ${String(error)}`))
    return file
  }
}

function access(flags: number): { read: boolean; write: boolean } {
  const mode = flags & O.ACCMODE
  return { read: mode !== O.WRONLY, write: mode === O.WRONLY || mode === O.RDWR || (flags & O.TRUNC) !== 0 }
}

function usable(handle: FileHandle): FileHandle {
  if (handle.lost) throw fault('EIO', `${handle.node.name}, whose lock was lost`)
  return handle
}

async function read(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const route = handle.node.locks?.server.route(handle, offset, length, false)
  if (route === undefined) return unlocked(handle.file.read(offset, length))
  const parts: Buffer[] = []
  for (const step of route) {
    const part = await unlocked(step.handle.file.read(step.offset, step.length))
    parts.push(Buffer.from(part))
    if (part.length < step.length) break
  }
  return Buffer.concat(parts)
}

/** A request that was given up while it waited for its turn writes nothing. */
async function write(ask: Ask, handle: FileHandle, offset: number, data: Buffer): Promise<void> {
  if (handle.writes.size > 0) await handle.calm(ask)
  if (ask.ended) throw fault('EINTR', 'writing')
  const route = handle.node.locks?.server.route(handle, offset, data.length, true) ?? [{ handle, offset, length: data.length }]
  for (const step of route) {
    const from = step.offset - offset
    await unlocked(step.handle.file.write(step.offset, data.subarray(from, from + step.length)))
  }
}

/** O_APPEND: at the end as the server knows it. One at a time, so that programs of this host do not write over each other. */
function append(ask: Ask, handle: FileHandle, data: Buffer): Promise<void> {
  const turn = handle.node.appending.then(async () => {
    const { size } = await handle.file.stat()
    await write(ask, handle, size, data)
  })
  handle.node.appending = turn.catch(() => {})
  return turn
}

/** Another host's lock: EACCES, as Linux cifs says. EAGAIN would have programs wait for a file to become readable, which it always is. */
async function unlocked<T>(io: Promise<T>): Promise<T> {
  try {
    return await io
  } catch (error) {
    throw isLockConflict(error) ? fault('EACCES', 'bytes that another host has locked') : error
  }
}
