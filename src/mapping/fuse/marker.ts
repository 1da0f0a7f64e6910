import { fault } from './errno.ts'
import { MARKER_ID } from './nodes.ts'
import { type Attributes, attributesReply } from './protocol/attributes.ts'
import { OP, S_IFREG } from './protocol/constants.ts'
import { accessRequest } from './protocol/requests.ts'
import type { Operations, Share } from './share.ts'

/**
 * Wine compares names without case: what is not there as it is spelled it looks for in a listing of the whole directory. On FUSE it leaves that out for long names
 * where the directory has an entry of this name, by which it knows a file system that ignores case itself, as SMB servers do (`get_dir_case_sensitivity` in Wine's
 * dlls/ntdll/unix/file.c). Here the server knows nothing of that entry, and no request is sent for it. It is in no listing, and nothing can be done with it. What a
 * server has under the same name cannot be reached meanwhile: to know of it would cost a request each time.
 */
export const MARKER = '.ciopfs'

/** An empty file that nobody may open. */
export function markerAttributes({ owner }: Share): Attributes {
  const never = { seconds: 0n, nanoseconds: 0 }
  const times = { accessed: never, modified: never, changed: never }
  return { ...times, ino: BigInt(MARKER_ID), size: 0, blocks: 0, mode: S_IFREG, links: 1, uid: owner.uid, gid: owner.gid, blockSize: 4096 }
}

/** What may be asked of the entry itself; all directories share one. */
export function markerOperations(share: Share): Operations {
  return {
    [OP.GETATTR]: ask => ask.answer(attributesReply, markerAttributes(share)),

    [OP.ACCESS]: (ask, r) => {
      if (accessRequest.get(r) !== 0) throw fault('EACCES', MARKER)
      ask.done()
    },

    [OP.OPEN]: ask => ask.fail('EACCES'),
    [OP.SETATTR]: ask => ask.fail('EPERM'),
  }
}
