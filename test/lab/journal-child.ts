// A journal on a disk that is full when its entry is to be written anew. usage: journal-child.ts DISK, a small one that is empty. Prints what it saw.
import { readdirSync, rmSync, statSync, writeFileSync, writeSync, openSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { Journal } from '../../src/run/journal/journal.ts'

const [disk = ''] = process.argv.slice(2)
const warnings: string[] = []
const warn = (message: string): void => void warnings.push(message)
const journal = new Journal({ run: '0000000a', shares: ['//srv/app'], program: 'app', env: { XDG_STATE_HOME: disk }, warn })
const { path } = journal.place!
const size = (): number => statSync(join(path, '0000000a')).size
const descriptors = (): number => readdirSync('/proc/self/fd').length
const round = (i: number): void => {
  journal.folder(`/run/user/1000/nbtrun/${i}`)
  journal.foldersGone()
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

journal.folder('/kept')
for (let i = 0; size() < 64 * 1024 - 500; i++) {
  journal.folder(`/run/${i}`)
  journal.connection('P:', `\\\\srv\\${i}`, 0)
  journal.connectionGone('P:', `\\\\srv\\${i}`)
}
// what is held is more than a page: it cannot be written anew
const before = descriptors()
fill(join(disk, 'full'))
for (let i = 0; i < 200; i++) round(i)
const full = { files: readdirSync(path), leaked: descriptors() - before, warnings: warnings.length, why: warnings[0] ?? '' }
rmSync(join(disk, 'full'))
journal.connection('Q:', '\\\\srv\\q', 0)
journal.connectionGone('Q:', '\\\\srv\\q')
const freed = { files: readdirSync(path), isShort: size() < 64 * 1024 }
journal.foldersGone()
journal.end()
writeFileSync(1, JSON.stringify({ full, freed, end: readdirSync(path) }))
