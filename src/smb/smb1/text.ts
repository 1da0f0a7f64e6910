import { type Reader, WireError, type Writer } from '../../base/wire.ts'
import { refused, STATUS } from '../status.ts'

/** Code page 850 from 0x80 on, which DOS and Windows had in Western Europe, and Samba has unless told otherwise. */
const HIGH = 'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0'
const CODES = new Map(Array.from(HIGH).map((character, i) => [character, 0x80 + i]))

/** A server without Unicode has bytes. A name that they cannot spell is none there. */
export function toOem(text: string): Buffer {
  return Buffer.from(
    Array.from(text).map(character => {
      const code = character.charCodeAt(0) < 0x80 ? character.charCodeAt(0) : CODES.get(character)
      if (code === undefined) throw refused(STATUS.OBJECT_NAME_INVALID, `spelling ${text} for a server without Unicode`)
      return code
    }),
  )
}

export function fromOem(bytes: Uint8Array): string {
  return Array.from(bytes, code => (code < 0x80 ? String.fromCharCode(code) : HIGH[code - 0x80]!)).join('')
}

export function toText(text: string, unicode: boolean): Buffer {
  return unicode ? Buffer.from(text, 'utf16le') : toOem(text)
}

export function fromText(bytes: Buffer, unicode: boolean): string {
  if (!unicode) return fromOem(bytes)
  if (bytes.length % 2 !== 0) throw new WireError(`UTF-16 string of ${bytes.length} bytes`, 0)
  return bytes.toString('utf16le')
}

/** With its end, Unicode on an even offset from the header. [MS-CIFS] 2.2.1.1: SMB_STRING. `start`: where the body began. */
export function putText(w: Writer, text: string, unicode: boolean, start: number): void {
  if (unicode) w.align(2, start)
  w.bytes(toText(`${text}\0`, unicode))
}

/** Up to its end, or the end of the bytes, which some servers take for one. `bytesAt`: where these begin in the body. */
export function getText(bytes: Reader, unicode: boolean, bytesAt: number): string {
  if (unicode && (bytesAt + bytes.pos) % 2 !== 0 && bytes.left > 0) bytes.skip(1)
  const size = unicode ? 2 : 1
  let end = bytes.pos
  while (end + size <= bytes.buf.length && (bytes.buf[end] !== 0 || (unicode && bytes.buf[end + 1] !== 0))) end += size
  const text = fromText(bytes.bytes(end - bytes.pos), unicode)
  bytes.skip(Math.min(size, bytes.left))
  return text
}
