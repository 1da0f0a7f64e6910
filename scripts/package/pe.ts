/** The few fields of a Windows program that the build changes. "PE Format", Microsoft: Optional Header, PE32+. */
const SIGNATURE = 0x0000_4550
const PE32_PLUS = 0x20b
const SUBSYSTEM = 68
const SECURITY_DIRECTORY = 112 + 4 * 8
const WINDOWS_GUI = 2

function optionalHeader(file: Buffer): number {
  const at = file.readUInt32LE(0x3c)
  if (file.readUInt32LE(at) !== SIGNATURE || file.readUInt16LE(at + 24) !== PE32_PLUS) throw new Error('no 64-bit Windows program')
  return at + 24
}

/** Without its Authenticode signature, which a change would make a false one: a wrong signature is worse than none. Throws where more lies behind it. */
export function unsigned(file: Buffer): Buffer {
  const entry = optionalHeader(file) + SECURITY_DIRECTORY
  const [offset, length] = [file.readUInt32LE(entry), file.readUInt32LE(entry + 4)]
  if (offset === 0) return file
  if (offset + length !== file.length) throw new Error('the signature is not the last part of this program')
  const shorter = Buffer.from(file.subarray(0, offset))
  shorter.writeBigUInt64LE(0n, entry)
  return shorter
}

/** The same program without a console window. */
export function windowed(file: Buffer): Buffer {
  const other = Buffer.from(file)
  other.writeUInt16LE(WINDOWS_GUI, optionalHeader(other) + SUBSYSTEM)
  return other
}
