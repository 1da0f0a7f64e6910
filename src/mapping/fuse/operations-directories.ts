import type { Reader } from '../../base/wire.ts'
import { Writer } from '../../base/wire.ts'
import type { DirEntry } from '../../smb/files.ts'
import type { Ask } from './desk.ts'
import type { DirHandle } from './handles.ts'
import { toLocal } from './names.ts'
import type { Node } from './nodes.ts'
import { DT_DIR, DT_REG, OP } from './protocol/constants.ts'
import { dirent, direntLength, direntPlus } from './protocol/dirent.ts'
import { openReply, openRequest, readRequest, releaseRequest } from './protocol/io.ts'
import type { Operations, Share } from './share.ts'

/** What libfuse says for "number not known". */
const UNKNOWN_INO = 0xffff_ffffn
const DOTS = 2

/** Listing directories. Offset 0 is before `.`, 1 before `..`, n before entry n - 2. */
export function directoryOperations(share: Share): Operations {
  const { files, nodes, handles } = share

  const list = async (ask: Ask, r: Reader, plus: boolean): Promise<void> => {
    const { fh, offset, size } = readRequest.get(r)
    const dir = handles.directory(fh)
    await dir.fetch(Math.max(0, offset - DOTS), offset === 0)
    const { bytes, entered } = page(share, dir, offset, size, plus)
    if (entered.length === 0) ask.answerBytes(bytes)
    else if (!(await ask.offer(w => w.bytes(bytes)))) for (const node of entered) nodes.forget(node, 1)
  }

  return {
    [OP.OPENDIR]: async (ask, r) => {
      openRequest.get(r)
      const node = nodes.get(ask.header.nodeId)
      const handle = handles.addDirectory(node, await files.open(nodes.path(node), { read: true, directory: true }))
      if (!(await ask.offer(w => openReply.put(w, { fh: handle.fh, flags: 0 })))) await handles.releaseDirectory(handle)
    },

    [OP.READDIR]: (ask, r) => list(ask, r, false),
    [OP.READDIRPLUS]: (ask, r) => list(ask, r, true),

    [OP.RELEASEDIR]: async (ask, r) => {
      const handle = handles.directory(releaseRequest.get(r).fh)
      ask.done()
      await handles.releaseDirectory(handle)
    },

    /** Names are on the server when the request that made them is answered. */
    [OP.FSYNCDIR]: ask => ask.done(),
  }
}

/** As many entries from `offset` on as fit. Each node entered counts as looked up, once the kernel took the page. */
function page(share: Share, dir: DirHandle, offset: number, size: number, plus: boolean): { bytes: Buffer; entered: readonly Node[] } {
  const w = new Writer(size)
  const entered: Node[] = []
  for (let at = offset; at < dir.entries.length + DOTS; at++) {
    const entry = at < DOTS ? undefined : dir.entries[at - DOTS]
    const name = entry === undefined ? Buffer.from('.'.repeat(at + 1)) : visibleName(dir.node, entry)
    if (name === undefined) continue
    if (w.pos + direntLength(name.length, plus) > size) break
    const info = entry ?? dir.file.info
    const one = { ino: info.id === 0n ? UNKNOWN_INO : info.id, offset: at + 1, type: info.directory ? DT_DIR : DT_REG, name }
    if (!plus) {
      dirent.put(w, one)
      continue
    }
    // numbers in listings are of another kind on some servers: not compared with those of open files
    const node = entry === undefined ? undefined : share.nodes.enter(dir.node, entry.name, { ...entry, id: 0n })
    if (node !== undefined) entered.push(node)
    direntPlus.put(w, { entry: { nodeId: node?.id ?? 0, attributes: share.attributes(node ?? dir.node, info) }, dirent: one })
  }
  return { bytes: w.done(), entered }
}

function visibleName(directory: Node, entry: DirEntry): Buffer | undefined {
  return directory.hidden.has(entry.name) ? undefined : toLocal(entry.name)
}
