import { NbtrunError } from '../base/errors.ts'
import { type Codec, encode, Reader, WireError, type Writer } from '../base/wire.ts'

/** A NetBIOS name: 15 characters, filled with spaces, and a suffix which says what answers to it. RFC 1001 section 14.1. */
export interface NetbiosName {
  /** Up to 15 characters of one byte each, without the spaces that fill it. */
  readonly text: string
  readonly suffix: number
  /** NetBIOS scope such as `NETBIOS.COM`; empty almost everywhere. */
  readonly scope: string
}

export const SUFFIX = { WORKSTATION: 0x00, SERVER: 0x20 } as const

/** What a node status asks for: every name of whoever gets the question. Filled with NUL instead of spaces. RFC 1002 section 4.2.17. */
export const ANY_NAME: NetbiosName = { text: '*'.padEnd(15, '\0'), suffix: 0, scope: '' }

/** The name to which every Windows and Samba file server answers. */
export const SMBSERVER: NetbiosName = { text: '*SMBSERVER', suffix: SUFFIX.SERVER, scope: '' }

/** The group of all master browsers; its text holds control characters, as the suffix 01 does not say enough. */
export const MSBROWSE: NetbiosName = { text: '\x01\x02__MSBROWSE__\x02', suffix: 1, scope: '' }

/** The destination of a broadcast datagram, padded with spaces by Windows and with NUL by the RFC's node status: the suffix is 0 in both. RFC 1002 section 5.3. */
export const ALL_NODES: NetbiosName = { text: '*', suffix: 0, scope: '' }

/** The same string for equal names: letters of the name count as they are on the wire, those of the scope do not. */
export function nameKey({ text, suffix, scope }: NetbiosName): string {
  return `${text}#${suffix}.${scope.toUpperCase()}`
}

/** `SRV`, or `SRV#1b` with the suffix in hex, in upper case; USAGE when it is no NetBIOS name. */
export function parseName(written: string, suffix: number, scope = ''): NetbiosName {
  const { name = '', hex } = /^(?<name>[^#]+)(?:#(?<hex>[0-9a-f]{1,2}))?$/i.exec(written)?.groups ?? {}
  const text = name.toUpperCase().replace(/^__MSBROWSE__$/, MSBROWSE.text)
  if (!/^[\0-\xff]{1,15}$/.test(text)) {
    throw new NbtrunError('USAGE', `${written} is not a NetBIOS name`, { hint: 'write 1 to 15 characters, and #20 behind it for the suffix 20' })
  }
  return { text, suffix: hex === undefined ? suffix : Number.parseInt(hex, 16), scope: scope.toUpperCase() }
}

/** As it is shown to people: `SRV<20>`. */
export function spellName({ text, suffix, scope }: NetbiosName): string {
  const shown = text.replace(/\0+$/, '').replace(/[^\x20-\x7e]/g, '.')
  return `${shown}<${suffix.toString(16).padStart(2, '0')}>${scope === '' ? '' : `.${scope}`}`
}

/** A name standing by itself, as in the session service. First and second level encoding: RFC 1001 section 14.1, RFC 1002 section 4.1. */
export const netbiosName: Codec<NetbiosName> = { name: 'NetBIOS name', put: putName, get: r => getName(r, false) }

/** A name in a name service packet, where a pointer to an earlier name may stand for it or for its scope. RFC 883. The reader begins at the packet's start. */
export const compressedName: Codec<NetbiosName> = { name: 'NetBIOS name', put: putName, get: r => getName(r, true) }

/** RFC 1002 section 4.1: all labels with their lengths and the root label. */
const LONGEST = 255

/** The 16 bytes of a name before any encoding, as a node status lists them; they carry no scope. */
export const rawName: Codec<NetbiosName> = {
  name: 'NetBIOS name of 16 bytes',
  put(w, { text, suffix }) {
    if (text.length > 15) throw new NbtrunError('USAGE', `NetBIOS name ${text} is longer than 15 characters`)
    for (let i = 0; i < 16; i++) {
      const c = i === 15 ? suffix : i < text.length ? text.charCodeAt(i) : 0x20
      if (c > 0xff) throw new NbtrunError('USAGE', `NetBIOS name ${text} has a character or suffix of more than one byte`)
      w.u8(c)
    }
  },
  get: r => nameOf(r.bytes(16), ''),
}

const nameOf = (raw: Buffer, scope: string): NetbiosName => ({ text: raw.toString('latin1', 0, 15).replace(/ +$/, ''), suffix: raw[15]!, scope })

function putName(w: Writer, name: NetbiosName): void {
  const { text, scope } = name
  const start = w.pos
  w.u8(32)
  for (const c of encode(rawName, name, 16)) w.u8(0x41 + (c >> 4)).u8(0x41 + (c & 15))
  for (const label of scope === '' ? [] : scope.split('.')) {
    if (label.length === 0 || label.length > 63)
      throw new NbtrunError('USAGE', `NetBIOS scope ${scope} has a part of ${label.length} characters`, { hint: '1 to 63 are possible' })
    w.u8(label.length)
    for (let i = 0; i < label.length; i++) w.u8(label.charCodeAt(i))
  }
  w.u8(0)
  if (w.pos - start > LONGEST) throw new NbtrunError('USAGE', `NetBIOS name ${text} with scope ${scope} is longer than ${LONGEST} bytes`)
}

function getName(outer: Reader, pointers: boolean): NetbiosName {
  let r = outer
  let earliest = outer.pos // a pointer leads further back than all before it, so following them ends
  let size = 0
  const label = (): Buffer => {
    for (;;) {
      const at = r.pos
      const length = r.u8()
      if (length < 64) {
        size += 1 + length
        if (size > LONGEST) throw new WireError(`name longer than ${LONGEST} bytes`, at)
        return r.bytes(length)
      }
      if (!pointers || length < 0xc0) throw new WireError(`label length 0x${length.toString(16)}`, at)
      const target = ((length & 0x3f) << 8) | r.u8()
      if (target >= earliest) throw new WireError(`name pointer to ${target}, which is not before it`, at)
      earliest = target
      r = new Reader(outer.buf)
      r.pos = target
    }
  }

  const raw = halfAscii(label(), r.pos)
  const scope: string[] = []
  for (let part = label(); part.length > 0; part = label()) {
    if (part.includes('.')) throw new WireError('dot inside a scope label', r.pos)
    scope.push(part.toString('latin1'))
  }
  return nameOf(raw, scope.join('.'))
}

/** Each half byte is a letter A to P. */
function halfAscii(letters: Buffer, end: number): Buffer {
  if (letters.length !== 32) throw new WireError(`label length is ${letters.length}, must be 32`, end)
  const raw = Buffer.allocUnsafe(16)
  for (let i = 0; i < 16; i++) {
    const hi = letters[2 * i]! - 0x41
    const lo = letters[2 * i + 1]! - 0x41
    if ((hi | lo) & ~15) throw new WireError('letter outside A to P', end - 32 + 2 * i)
    raw[i] = (hi << 4) | lo
  }
  return raw
}
