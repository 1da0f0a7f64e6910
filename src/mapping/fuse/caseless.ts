import type { Files } from '../../smb/files.ts'
import { isErrno } from './errno.ts'

/**
 * Whether the server takes two spellings of a name for the same that differ in case, as far as can be told: it is asked for something of the top directory by
 * another spelling. Servers of SMB do, unless an administrator has it otherwise (Samba's `case sensitive = yes`).
 */
export async function ignoresCase(files: Files): Promise<boolean> {
  const names = await someNames(files)
  for (const name of names) {
    const other = respelled(name)
    if (other === name) continue
    if (names.has(other)) return false
    return files.stat(other).then(
      () => true,
      (error: unknown) => !isErrno(error, 'ENOENT'),
    )
  }
  return true
}

async function someNames(files: Files): Promise<ReadonlySet<string>> {
  const top = await files.open('', { read: true, directory: true })
  try {
    return new Set((await top.entries(true)).map(({ name }) => name))
  } finally {
    await top.close()
  }
}

/** ASCII alone: what belongs together beyond it is not the same everywhere. */
function respelled(name: string): string {
  return name.replace(/[a-z]/gi, letter => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()))
}
