import type { FileInfo } from '../../smb/files.ts'
import type { Ask } from './desk.ts'
import { fault } from './errno.ts'
import { markerAttributes } from './marker.ts'
import { MARKER_ID, type Node } from './nodes.ts'
import { entryReply } from './protocol/attributes.ts'
import { OP, RENAME_NOREPLACE, S_IFMT, S_IFREG } from './protocol/constants.ts'
import { getName, mkdirRequest, mknodRequest, type RenameRequest, rename2Request, renameRequest } from './protocol/names.ts'
import { remove, rename } from './removal.ts'
import type { Operations, Share } from './share.ts'

/** What is done to names in directories. */
export function nameOperations(share: Share): Operations {
  const { files, nodes } = share

  const answerEntry = async (ask: Ask, parent: Node, name: string, info: FileInfo): Promise<void> => {
    const node = nodes.enter(parent, name, info)
    if (!(await ask.offer(w => entryReply.put(w, { nodeId: node.id, attributes: share.attributes(node, info) })))) nodes.forget(node, 1)
  }

  const renameTo = async (ask: Ask, { newParent, flags, from, to }: RenameRequest): Promise<void> => {
    if ((flags & ~RENAME_NOREPLACE) !== 0) throw fault('EINVAL', 'exchanging two names')
    share.mayWrite()
    const source = share.placeIn(nodes.get(ask.header.nodeId), from)
    const target = share.placeIn(nodes.get(newParent), to)
    await rename(share, source, target, (flags & RENAME_NOREPLACE) === 0)
    ask.done()
  }

  return {
    [OP.LOOKUP]: async (ask, r) => {
      const local = getName(r)
      if (share.marks(local.toString())) return ask.answer(entryReply, { nodeId: MARKER_ID, attributes: markerAttributes(share) })
      const { parent, name, path } = share.placeIn(nodes.get(ask.header.nodeId), local)
      await answerEntry(ask, parent, name, await files.stat(path))
    },

    [OP.MKDIR]: async (ask, r) => {
      share.mayWrite()
      const { parent, name, path } = share.placeIn(nodes.get(ask.header.nodeId), mkdirRequest.get(r))
      await answerEntry(ask, parent, name, await files.makeDirectory(path))
    },

    [OP.MKNOD]: async (ask, r) => {
      share.mayWrite()
      const request = mknodRequest.get(r)
      const kind = request.mode & S_IFMT
      if (kind !== 0 && kind !== S_IFREG) throw fault('EPERM', 'making a special file')
      const { parent, name, path } = share.placeIn(nodes.get(ask.header.nodeId), request.name)
      const info = await share.withOpen(path, { write: true, directory: false, disposition: 'create' }, file => Promise.resolve(file.info))
      await answerEntry(ask, parent, name, info)
    },

    [OP.UNLINK]: async (ask, r) => {
      share.mayWrite()
      await remove(share, share.place(ask, r), false)
      ask.done()
    },

    [OP.RMDIR]: async (ask, r) => {
      share.mayWrite()
      await remove(share, share.place(ask, r), true)
      ask.done()
    },

    [OP.RENAME]: (ask, r) => renameTo(ask, renameRequest.get(r)),
    [OP.RENAME2]: (ask, r) => renameTo(ask, rename2Request.get(r)),
  }
}
