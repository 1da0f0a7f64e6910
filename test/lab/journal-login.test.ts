// What the kernel was asked for in a login, and in which order: a session is on the disk itself before the request that it begins with is sent.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { COMMAND } from '../../src/smb/smb2/header.ts'
import { field } from '../story/proxy.ts'
import { type Lab, missing, useLab } from './index.ts'
import { here, noLab, nothingLeft, words } from './nbtrun.ts'

/** A slow disk, µs: what is not waited for is late. The folder is asked for first, and comes last. */
const SLOW = ['inject=fsync:delay_enter=2500000', 'inject=fdatasync:delay_enter=500000']

describe('the journal in a login', { skip: noLab || missing('calls'), timeout: 280_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  test('has the session in one line, and has file and folder on the disk, before the second SESSION_SETUP is sent', async () => {
    const calls = here(lab, 'calls')
    const strace = [
      'strace',
      '-f',
      '-qq',
      '-y',
      '-x',
      '-s',
      '64',
      '-o',
      calls,
      ...['signal=none', 'trace=write,writev,fsync,fdatasync', ...SLOW].flatMap(e => ['-e', e]),
    ]
    const { code, stderr } = await lab.run('client1', [...strace, ...words(lab, ['/bin/true'], { options: ['--mapping', 'none', '--grace', '0'] })])
    assert.deepEqual([code, stderr], [0, ''])
    assert.deepEqual(deedsIn(readFileSync(calls, 'latin1')), ['login without an id', 'session line', 'file on disk', 'folder on disk', 'login with an id'])
    await nothingLeft(lab)
  })
})

/** What was done, in its order, up to the last SESSION_SETUP. A call of one thread that another one's interrupts counts when it returns: strace(1). */
function deedsIn(calls: string): string[] {
  const deeds: string[] = []
  const syncing = new Map<string, string>()
  for (const line of calls.split('\n')) {
    const [, pid = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const [, kind, path = ''] = /^(fsync|fdatasync)\(\d+<([^>]*)>/.exec(call) ?? []
    if (kind !== undefined) syncing.set(pid, /\/nbtrun\/journal\/[0-9a-f]{8}$/.test(path) ? 'file' : path.endsWith('/nbtrun/journal') ? 'folder' : path)
    if (/^(fsync|fdatasync|<\.\.\. f\w*sync resumed>).* = 0\b/.test(call)) deeds.push(`${syncing.get(pid)} on disk`)
    const [, written = ''] = /^write\(\d+<.*\/nbtrun\/journal\/[0-9a-f]{8}>, "(\{.*)"\.\.\., (?:\d+)\)/.exec(call) ?? []
    if (written.startsWith(String.raw`{\"what\":\"session\"`)) deeds.push('session line')
    const [, hex = ''] = /"(\\xfe\\x53\\x4d\\x42[\\x0-9a-f]*)"/.exec(call) ?? []
    const header = Buffer.from(hex.replaceAll(String.raw`\x`, ''), 'hex')
    if (header.length === 64 && field.command(header) === COMMAND.SESSION_SETUP)
      deeds.push(header.readBigUInt64LE(40) === 0n ? 'login without an id' : 'login with an id')
  }
  return deeds
}
