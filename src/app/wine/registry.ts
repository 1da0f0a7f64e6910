// HKEY_LOCAL_MACHINE of a prefix is its file system.reg: keys as `[Software\\Wine\\Drives] <time>`, values as `"p:"="network"`, an empty line behind each key.

const KEY = '[software\\\\wine\\\\drives]'

/** The type that the user gave a drive, such as `network`; null where Wine finds out by itself. `letter` as in dosdevices: `p:`. */
export function driveType(system: string, letter: string): string | null {
  const lines = system.split('\n')
  const at = keyAt(lines)
  const line = lines.slice(at + 1, endOf(lines, at)).find(text => isValue(text, letter))
  return line === undefined ? null : (/"="(.*)"\r?$/.exec(line)?.[1] ?? null)
}

/** The text with that type, or, for null, without one: a key without values goes, too. */
export function withDriveType(system: string, letter: string, type: string | null): string {
  const lines = system.split('\n')
  const value = type === null ? [] : [`"${letter}"="${type}"`]
  const at = keyAt(lines)
  if (at < 0) {
    if (type === null) return system
    const seconds = Math.floor(Date.now() / 1000)
    return `${system.trimEnd()}\n\n[Software\\\\Wine\\\\Drives] ${seconds}\n${value.join('\n')}\n`
  }
  const end = endOf(lines, at)
  const kept = lines.slice(at + 1, end).filter(text => !isValue(text, letter))
  const values = [...kept.filter(text => text !== ''), ...value]
  const isEmpty = values.every(text => text.startsWith('#'))
  const key = isEmpty ? [] : [lines[at]!, ...values, '']
  return [...lines.slice(0, at), ...key, ...lines.slice(end)].join('\n')
}

function keyAt(lines: readonly string[]): number {
  return lines.findIndex(line => line.toLowerCase().startsWith(KEY))
}

/** Where the next key begins. */
function endOf(lines: readonly string[], at: number): number {
  const next = lines.findIndex((line, index) => index > at && line.startsWith('['))
  return next < 0 ? lines.length : next
}

function isValue(line: string, letter: string): boolean {
  return line.toLowerCase().startsWith(`"${letter.toLowerCase()}"=`)
}
