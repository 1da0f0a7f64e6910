import { isUtf8 } from 'node:buffer'
import { fault } from './errno.ts'

/**
 * Characters that no Windows name may hold, and their stand-ins in the private use area: the mapping of "Services for Macintosh", the same that
 * Linux cifs calls `mapposix` and Samba's vfs_fruit and macOS use, so all of them see the same names.
 */
const STAND_INS = new Map<string, string>([
  ['"', '\uf020'],
  ['*', '\uf021'],
  [':', '\uf022'],
  ['<', '\uf023'],
  ['>', '\uf024'],
  ['?', '\uf025'],
  ['\\', '\uf026'],
  ['|', '\uf027'],
  ...Array.from({ length: 31 }, (_, i) => [String.fromCharCode(i + 1), String.fromCharCode(0xf001 + i)] as const),
])
const SPACE_AT_END = '\uf028'
const DOT_AT_END = '\uf029'

const ORIGINALS = new Map<string, string>([...STAND_INS].map(([original, standIn]) => [standIn, original]))
ORIGINALS.set(SPACE_AT_END, ' ').set(DOT_AT_END, '.')

const REFUSED = /["*:<>?\\|\x01-\x1f]/g // oxlint-disable-line no-control-regex -- control characters are the point
const STOOD_IN = /[\uf001-\uf01f\uf020-\uf029]/g
const LONGEST = 255

/** A name of the local kernel as the server knows it. EILSEQ when it is not UTF-8, ENAMETOOLONG above 255 UTF-16 units. */
export function toServer(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw fault('EILSEQ', 'a name that is not UTF-8')
  const name = bytes.toString('utf8').replace(REFUSED, c => STAND_INS.get(c) ?? c)
  if (name.length > LONGEST) throw fault('ENAMETOOLONG', `the name ${name.slice(0, 20)}…`)
  if (name.endsWith('.')) return name.slice(0, -1) + DOT_AT_END
  return name.endsWith(' ') ? name.slice(0, -1) + SPACE_AT_END : name
}

/** A name on the server as it is shown locally; undefined when no local file can have it. */
export function toLocal(name: string): Buffer | undefined {
  const local = name.replace(STOOD_IN, c => ORIGINALS.get(c) ?? c)
  if (local === '' || local === '.' || local === '..' || local.includes('/') || local.includes('\0')) return undefined
  return Buffer.from(local)
}
