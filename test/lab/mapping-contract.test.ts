import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe } from 'node:test'
import { fileURLToPath } from 'node:url'
import { asUser, isRoot } from '../unit/mapping/as-user.ts'
import { cannotMount } from '../unit/mapping/fuse/mounted.ts'
import { owes } from './contract/owes.ts'
import { missing } from './missing.ts'
import { isMachineRoot } from './packages.ts'

const CHILD = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('contract/linux-child.ts', import.meta.url))]

const ordinary = isRoot ? cannotMount : missing('fuse')
const noFuse3 =
  ordinary ||
  (!existsSync('/usr/bin/fusermount3') && 'fusermount3 not installed (apt install fuse3)') ||
  (!isMachineRoot() && "fusermount3 has the privilege of the machine's root, which means nothing in a user namespace")

const ROWS = [
  { name: 'private, by root', mapping: 'private', words: ['root'], prefix: [], skip: cannotMount },
  { name: 'private, by root with blocking reads', mapping: 'private', words: ['root', 'blocking'], prefix: [], skip: cannotMount },
  { name: 'private, by a user (b2)', mapping: 'private', words: ['b2'], prefix: asUser(), skip: ordinary },
  { name: 'private, by a user without FFI (b1)', mapping: 'private', words: ['b1'], prefix: asUser(), skip: ordinary },
  { name: 'shared, by root', mapping: 'shared', words: ['c'], prefix: [], skip: cannotMount },
  { name: 'shared, by a user', mapping: 'shared', words: ['c'], prefix: asUser(), skip: noFuse3 },
  { name: 'none', mapping: 'none', words: ['none'], prefix: [], skip: false },
] as const

for (const { name, mapping, words, prefix, skip } of ROWS) {
  describe(`the mapping ${name}`, { skip, timeout: 600_000 }, () => {
    owes(mapping, async () => {
      const [command = '', ...args] = [...prefix, ...CHILD, ...words]
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      let text = ''
      child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)))
      await once(child, 'close')
      return text
    })
  })
}
