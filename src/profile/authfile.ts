import { NbtrunError } from '../base/errors.ts'

export interface AuthFile {
  readonly user: string | undefined
  readonly domain: string | undefined
  /** In a buffer of its own; the caller wipes it. */
  readonly password: Buffer | undefined
}

const KEYS: Readonly<Record<string, keyof AuthFile>> = {
  username: 'user',
  user: 'user',
  password: 'password',
  pass: 'password',
  domain: 'domain',
  dom: 'domain',
  workgroup: 'domain',
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * The format of `smbclient -A` and of mount.cifs: lines `key = value`, blanks around both ignored (a password keeps those at its end),
 * comments with `#` or `;`, other keys passed over. Of a key given twice the last counts. `bytes` is wiped.
 */
export function parseAuthFile(bytes: Buffer, path: string): AuthFile {
  const found: { user?: string; domain?: string; password?: Buffer } = {}
  try {
    if (bytes[0] === 0xff || bytes[0] === 0xfe) throw new NbtrunError('FILE_ERROR', `${path} is not UTF-8 text`, { hint: 'save it as UTF-8' })
    for (const line of lines(bytes.subarray(0, 3).equals(BOM) ? bytes.subarray(3) : bytes)) {
      const at = line.indexOf('=')
      if (at < 0 || /^\s*[#;]/.test(line.toString('latin1', 0, at))) continue
      const key = KEYS[line.toString('latin1', 0, at).trim().toLowerCase()]
      const value = line.subarray(skipBlanks(line, at + 1))
      if (key === 'password') {
        found.password?.fill(0)
        found.password = Buffer.from(value)
      } else if (key !== undefined) found[key] = value.toString().trim()
    }
    const { user = '', domain = '', password } = found
    if (user === '' && password === undefined)
      throw new NbtrunError('FILE_ERROR', `${path} names no user and no password`, { hint: 'it needs lines "username = ..." and "password = ..."' })
    return { user: user === '' ? undefined : user, domain: domain === '' ? undefined : domain, password }
  } finally {
    bytes.fill(0)
  }
}

function* lines(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf('\n', at)
    const end = newline < 0 ? bytes.length : newline
    yield bytes.subarray(at, end > at && bytes[end - 1] === 0x0d ? end - 1 : end)
    at = end + 1
  }
}

function skipBlanks(line: Buffer, from: number): number {
  let at = from
  while (line[at] === 0x20 || line[at] === 0x09) at++
  return at
}
