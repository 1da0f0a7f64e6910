/** Code page 850, the upper half: what a console of Western Europe writes. */
const OEM = 'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0'

export interface BatchText {
  /** Each line as it stands, without its end. */
  readonly lines: readonly string[]
  readonly encoding: 'UTF-8' | 'UTF-16' | 'OEM 850'
}

/** A batch file's text: UTF-8 where it is that, else code page 850; line ends of any kind; all behind a Ctrl-Z is none of it. */
export function readBatch(bytes: Buffer): BatchText {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'UTF-16' : isUtf8(bytes) ? 'UTF-8' : 'OEM 850'
  const text = encoding === 'UTF-16' ? bytes.toString('utf16le') : encoding === 'UTF-8' ? bytes.toString() : oem(bytes)
  const [before = ''] = text.replace(/^\ufeff/, '').split('\u001a')
  const lines = before.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  return { lines, encoding }
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

function oem(bytes: Buffer): string {
  return Array.from(bytes, byte => (byte < 0x80 ? String.fromCharCode(byte) : (OEM[byte - 0x80] ?? '?'))).join('')
}
