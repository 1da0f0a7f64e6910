import type { FileInfo, OpenFile } from '../../smb/files.ts'
import { fileTime, fileTimeNow, NORMAL, READONLY, volumeOf } from './attributes.ts'
import { fault } from './errno.ts'
import type { Node } from './nodes.ts'
import { attributesReply, statfsReply, type UnixTime } from './protocol/attributes.ts'
import { FATTR, GETATTR_FH, OP } from './protocol/constants.ts'
import { accessRequest, getattrRequest, type SetattrRequest, setattrRequest } from './protocol/requests.ts'
import type { Operations, Share } from './share.ts'

const W_OK = 2

/** What is asked and said about one file. */
export function attributeOperations(share: Share): Operations {
  const { files, nodes, handles } = share

  /** Through an open handle where there is one: cheaper, and right for a file that was removed or replaced. */
  const statOf = async (node: Node, handle = node.anyHandle): Promise<FileInfo> => {
    const info = handle === undefined ? await files.stat(nodes.path(node)) : await handle.file.stat()
    if (info.directory !== node.directory) throw fault('ESTALE', node.name)
    return info
  }

  return {
    [OP.GETATTR]: async (ask, r) => {
      const { flags, fh } = getattrRequest.get(r)
      const node = nodes.get(ask.header.nodeId)
      const info = await statOf(node, (flags & GETATTR_FH) === 0 ? undefined : handles.file(fh))
      ask.answer(attributesReply, share.attributes(node, info))
    },

    [OP.SETATTR]: async (ask, r) => {
      const request = setattrRequest.get(r)
      const node = nodes.get(ask.header.nodeId)
      share.mayWrite()
      refuseNewOwner(share, request)
      const handle = (request.valid & FATTR.FH) === 0 ? undefined : handles.file(request.fh)
      await handle?.calm()
      const resizes = (request.valid & FATTR.SIZE) !== 0
      // an open for writing may change everything, one for reading nothing
      const writer = handle?.writable === true ? handle : node.linked ? undefined : [...node.handles].find(h => h.writable)
      const info =
        writer !== undefined
          ? await apply(writer.file, request, node)
          : await share.withOpen(nodes.path(node), { writeAttributes: true, write: resizes }, file => apply(file, request, node))
      ask.answer(attributesReply, share.attributes(node, info))
    },

    [OP.ACCESS]: async (ask, r) => {
      const mask = accessRequest.get(r)
      if ((mask & W_OK) !== 0) {
        share.mayWrite()
        const node = nodes.get(ask.header.nodeId)
        if (!node.directory && ((await statOf(node)).attributes & READONLY) !== 0) throw fault('EACCES', `writing the read-only ${node.name}`)
      }
      ask.done()
    },

    [OP.STATFS]: async ask => {
      ask.answer(statfsReply, volumeOf(await files.volume()))
    },
  }
}

/** A share knows one user: chown(2) to him is nothing, to anybody else refused. */
function refuseNewOwner({ owner }: Share, { valid, uid, gid }: SetattrRequest): void {
  if ((valid & FATTR.UID) !== 0 && uid !== owner.uid) throw fault('EPERM', `giving a file to user ${uid}`)
  if ((valid & FATTR.GID) !== 0 && gid !== owner.gid) throw fault('EPERM', `giving a file to group ${gid}`)
}

/** Size first, for it changes the times; then what chmod(2) means here, then the times themselves. */
async function apply(file: OpenFile, request: SetattrRequest, node: Node): Promise<FileInfo> {
  const { valid, size, mode } = request
  if ((valid & FATTR.SIZE) !== 0) await file.truncate(size)
  if ((valid & FATTR.MODE) !== 0 && !node.directory) {
    const { attributes } = await file.stat()
    const wanted = (mode & 0o222) === 0 ? attributes | READONLY : attributes & ~READONLY
    if (wanted !== attributes) await file.setAttributes(wanted === 0 ? NORMAL : wanted)
  }
  const accessed = newTime(valid, FATTR.ATIME, FATTR.ATIME_NOW, request.accessed)
  const written = newTime(valid, FATTR.MTIME, FATTR.MTIME_NOW, request.modified)
  if (accessed !== undefined || written !== undefined)
    await file.setTimes({ ...(accessed === undefined ? {} : { accessed }), ...(written === undefined ? {} : { written }) })
  return file.stat()
}

function newTime(valid: number, given: number, now: number, time: UnixTime): bigint | undefined {
  if ((valid & now) !== 0) return fileTimeNow()
  return (valid & given) === 0 ? undefined : fileTime(time)
}
