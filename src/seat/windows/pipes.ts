import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { type Ground, hear } from '../ground.ts'

const NAME = /^nbtrun-[0-9a-f]{32}$/

/**
 * A line of named pipes. Pipes have no folder of a user's own, and their names are for everybody to see: so the order is kept by files in one, each with the name
 * of its holder's pipe, which nobody can guess before. Windows ends the pipe with its holder, however that ends.
 */
export function pipes({ LOCALAPPDATA: local }: Readonly<Record<string, string | undefined>>): Ground {
  const base = join(local !== undefined && isAbsolute(local) ? local : join(homedir(), 'AppData', 'Local'), 'nbtrun', 'lines')
  return {
    bases: () => [base],
    longestFolder: Infinity,
    isOwn: () => true, // what lies there is, by the rights that the folder hands down
    async listen(server, file) {
      const name = `nbtrun-${randomBytes(16).toString('hex')}`
      await hear(server, pathOf(name))
      writeFileSync(file, name, { flag: 'wx' })
    },
    addressOf(file) {
      try {
        const name = readFileSync(file, 'latin1')
        return NAME.test(name) ? pathOf(name) : undefined
      } catch {
        return undefined // its holder has gone
      }
    },
    // a folder that somebody still looks into is there until he has looked
    isFolderGoing: errno => ['ENOENT', 'EPERM', 'EACCES', 'EBUSY'].includes(errno ?? ''),
  }
}

function pathOf(name: string): string {
  return `\\\\.\\pipe\\${name}`
}
