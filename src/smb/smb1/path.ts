import { refused, STATUS } from '../status.ts'

/** In SMB1 these stand for many names, in requests that would then mean many files. No file's name has them. [MS-CIFS] 2.2.1.1.3. */
const WILDCARDS = /[*?<>"]/

/** From the share's root. A name with wildcards is none, and is never sent. */
export function wirePath(path: string, label: string): string {
  if (WILDCARDS.test(path)) throw refused(STATUS.OBJECT_NAME_INVALID, `naming ${label}`)
  return `\\${path}`
}

/** The folder that something lies in, and its name there. */
export function parted(path: string): { readonly folder: string; readonly name: string } {
  const at = path.lastIndexOf('\\')
  return { folder: at < 0 ? '' : path.slice(0, at), name: path.slice(at + 1) }
}

export function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}\\${name}`
}
