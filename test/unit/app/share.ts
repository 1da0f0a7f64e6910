import { NbtrunError } from '../../../src/base/errors.ts'
import type { FileInfo, Files, OpenFile } from '../../../src/smb/files.ts'

/** A share in memory: names to contents, a folder as null, a refusal as its errno. Names are looked up as a server does: in any case. */
export function shareOf(things: Readonly<Record<string, string | null | { errno: string }>>): Files & { readonly left: () => number } {
  let left = 0
  const open = async (path: string): Promise<OpenFile> => {
    const name = Object.keys(things).find(known => known.toLowerCase() === path.toLowerCase())
    const thing = name === undefined ? (path === '' ? null : { errno: 'ENOENT' }) : things[name]!
    if (thing !== null && typeof thing === 'object') throw new NbtrunError('FILE_ERROR', `opening ${path}: refused`, { facts: { errno: thing.errno } })
    left++
    const close = (): void => {
      left--
    }
    return {
      info: { directory: thing === null } as FileInfo,
      read: async (offset: number, length: number) => Buffer.from(thing ?? '', 'latin1').subarray(offset, offset + length),
      close: async () => close(),
    } as unknown as OpenFile
  }
  return { label: '//srv/app', open, left: () => left } as unknown as Files & { readonly left: () => number }
}
