// A journal on a disk that is full when its entry is to be written anew. usage: journal-child.ts DISK, a small one that is empty. Prints what it saw.
import { readdirSync, readlinkSync, rmSync, statSync, writeFileSync, writeSync, openSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { Journal } from '../../src/run/journal/journal.ts'

const [disk = ''] = process.argv.slice(2)
const warnings: string[] = []
const warn = (message: string): void => void warnings.push(message)
const journal = new Journal({ run: '0000000a', shares: ['//srv/app'], program: 'app', env: { XDG_STATE_HOME: disk }, warn })
const { path } = journal.place!
const size = (): number => statSync(join(path, '0000000a')).size
/** Of files of the journal. */
const descriptors = (): number => readdirSync('/proc/self/fd').filter(fd => linkOf(fd).startsWith(join(path, '0000000a'))).length

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // that of the look itself
  }
}

/** Not one page is left. */
function fill(file: string): void {
  const fd = openSync(file, 'w')
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096))
  } catch {
  } finally {
    closeSync(fd)
  }
}

journal.connection('K:', '\\\\srv\\kept', 0)
for (let i = 0; size() < 65 * 1024; i++) journal.folder(`/run/user/1000/nbtrun/${i}`)
const before = descriptors()
fill(join(disk, 'full'))
journal.foldersGone() // with each of them the entry is to be written anew
const full = { files: readdirSync(path), leaked: descriptors() - before, warnings: warnings.length, why: warnings[0] ?? '' }
rmSync(join(disk, 'full'))
journal.connection('Q:', '\\\\srv\\q', 0)
journal.connectionGone('Q:', '\\\\srv\\q')
const freed = { files: readdirSync(path), isShort: size() < 64 * 1024 }
journal.connectionGone('K:', '\\\\srv\\kept')
journal.end()
writeFileSync(1, JSON.stringify({ full, freed, end: readdirSync(path) }))
