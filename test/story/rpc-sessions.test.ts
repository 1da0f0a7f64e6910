// A server that speaks NDR as Windows does, and its sessions: every level, unused ones ended, and answers that are cut, torn or made up.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import { enumResponse } from '../../src/smb/rpc/srvsvc/enumeration.ts'
import { FILE, SESSION, SHARE } from '../../src/smb/rpc/srvsvc/levels.ts'
import { fileEnumRequest, OPNUM, sessionDelRequest, sessionEnumRequest, shareEnumRequest, statusResponse } from '../../src/smb/rpc/srvsvc/messages.ts'
import type { Struct } from '../../src/smb/rpc/struct.ts'
import { noLab } from '../lab/nbtrun.ts'
import * as V from '../vectors/srvsvc.ts'
import { asGuest, type Service, windows } from './windows.ts'

type Row = Struct<(typeof SESSION)[502]>
const MORE_DATA = 234

const row = (client: string, user: string, opens: number, idle: number): Row => {
  return { client, user, opens, seconds: 5000, idle, flags: 0, clientType: 'Windows', transport: '\\Device\\NetBT' }
}
/** The guest's own, who asks. */
const OURS = row('\\\\127.0.0.1', 'guest', 1, 0)

/** Has these sessions, and ends what it is told to. `best`: the first level that it answers. */
class Sessions {
  rows: Row[]
  readonly ended: string[] = []
  readonly levels: number[] = []
  readonly #knows: readonly number[]

  constructor(rows: Row[], knows: readonly number[] = [502, 10, 2, 1, 0]) {
    this.rows = rows
    this.#knows = knows
  }

  readonly service: Service = (opnum, stub) => {
    if (opnum === OPNUM.SESSION_DEL) {
      const { client, user } = decode(sessionDelRequest, stub)
      this.ended.push(`${client} ${user}`)
      const left = this.rows.filter(each => each.user !== user || `\\\\${each.client.replace(/^\\+/, '')}` !== client)
      const found = left.length < this.rows.length
      this.rows = left
      return encode(statusResponse, found ? 0 : 2312)
    }
    if (opnum === OPNUM.FILE_ENUM) {
      assert.equal(decode(fileEnumRequest, stub).level, 3)
      return encode(enumResponse('files', 3, FILE[3]), { entries: [], total: 0, resume: null, status: 0 })
    }
    assert.equal(opnum, OPNUM.SESSION_ENUM)
    const { level, client, user } = decode(sessionEnumRequest, stub)
    assert.deepEqual([client, user], [null, null])
    this.levels.push(level)
    if (!this.#knows.includes(level)) return encode(enumResponse('sessions', level, SESSION[0]), { entries: [], total: 0, resume: null, status: 124 })
    const shape = SESSION[level as keyof typeof SESSION]
    return encode(enumResponse('sessions', level, shape), { entries: this.rows as never, total: this.rows.length, resume: null, status: 0 })
  }
}

interface Listed {
  readonly level: number
  readonly sessions: readonly { readonly client: string; readonly user: string | null; readonly opens: number | null; readonly idle: number | null }[]
}

describe('the sessions of a Windows server', { skip: noLab, timeout: 800_000 }, () => {
  test('at level 502, in the bytes of section M', async () => {
    await using server = await windows(opnum => (opnum === OPNUM.SESSION_ENUM ? V.SESSIONS_502_RESPONSE : 0x1c01_0002))
    const { code, stdout, stderr } = await asGuest(server, 'sessions')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^10\.0\.0\.9 +user +3 +60 s +5 s$/m)
  })

  for (const knows of [[502], [10], [2], [1], [0], [10, 0]])
    test(`where it knows level ${knows.join(' and ')} alone`, async () => {
      const sessions = new Sessions([OURS, row('\\\\10.0.0.9', 'alice', 2, 30)], knows)
      await using server = await windows(sessions.service)
      const { stdout, stderr } = await asGuest(server, 'sessions', '--json')
      assert.equal(stderr, '')
      const { level, sessions: listed } = JSON.parse(stdout) as Listed
      assert.equal(level, knows[0])
      const [, alice] = listed
      assert.deepEqual(alice?.client, '10.0.0.9')
      assert.equal(alice.user, level === 0 ? null : 'alice')
      assert.equal(alice.opens, level === 0 || level === 10 ? null : 2)
      assert.equal(alice.idle, level === 0 ? null : 30)
      assert.deepEqual(sessions.levels, [502, 10, 2, 1, 0].slice(0, [502, 10, 2, 1, 0].indexOf(level) + 1))
    })

  test('in pieces, where it has more than fit an answer', async () => {
    const all = Array.from({ length: 5 }, (_, i) => row(`\\\\10.0.0.${i}`, 'alice', 0, i))
    const service: Service = (opnum, stub) => {
      if (opnum !== OPNUM.SESSION_ENUM) return 0x1c01_0002
      const at = decode(sessionEnumRequest, stub).resume ?? 0
      const entries = all.slice(at, at + 2)
      const last = at + 2 >= all.length
      return encode(enumResponse('sessions', 502, SESSION[502]), { entries, total: all.length - at, resume: last ? 0 : at + 2, status: last ? 0 : MORE_DATA })
    }
    await using server = await windows(service)
    const { sessions } = JSON.parse((await asGuest(server, 'sessions', '--json')).stdout) as Listed
    assert.deepEqual(
      sessions.map(({ client }) => client),
      ['10.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'],
    )
  })

  test('--close --unused ends those that idle without a file, and prints each row', async () => {
    const sessions = new Sessions([
      OURS,
      row('\\\\10.0.0.1', 'lazy', 0, 3600),
      row('\\\\10.0.0.2', 'busy', 1, 3600),
      row('\\\\10.0.0.3', 'young', 0, 599),
      row('\\\\10.0.0.4', 'twice', 0, 3600),
      row('\\\\10.0.0.4', 'twice', 2, 3600),
      row('\\\\10.0.0.5', 'unknown', 0, 0xffff_ffff),
      row('\\\\10.0.0.6', 'both', 0, 700),
      row('\\\\10.0.0.6', 'both', 0, 800),
    ])
    await using server = await windows(sessions.service)
    const { code, stdout, stderr } = await asGuest(server, 'sessions', '--close', '--unused', '--idle', '10m')
    assert.deepEqual([code, stderr], [0, ''])
    assert.deepEqual(sessions.ended, ['\\\\10.0.0.1 lazy', '\\\\10.0.0.6 both'])
    const said = (user: string): string[] =>
      stdout
        .split('\n')
        .filter(line => line.includes(` ${user} `))
        .map(line => line.replace(/^.* {2}/, ''))
    assert.deepEqual(['guest', 'lazy', 'busy', 'young', 'twice', 'unknown', 'both'].map(said), [
      ['kept: ours'],
      ['ended'],
      ['kept: a file is open'],
      ['kept: idle for 599 s only'],
      ['kept: another session of this client and user is kept', 'kept: 2 files are open'],
      ['kept: its idle time is not known'],
      ['ended', 'ended'],
    ])
    assert.equal(stdout.split('\n').length, 10)
  })

  test('ipc shows what is left for the user, and does not count itself', async () => {
    const sessions = new Sessions([OURS, { ...row('\\\\10.0.0.7', 'guest', 0, 4000), seconds: 9000 }, row('\\\\10.0.0.1', 'alice', 0, 1)])
    await using server = await windows(sessions.service)
    const { code, stdout } = await asGuest(server, 'ipc')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^connected to IPC\$ on 127\.0\.0\.1 as guest, and disconnected\n127\.0\.0\.1 still holds 1 session for guest:\nCLIENT .*\n10\.0\.0\.7 +0 +2 h 30 min +66 min$/,
    )
    sessions.rows = [OURS]
    assert.match((await asGuest(server, 'ipc')).stdout, /127\.0\.0\.1 holds nothing for guest any more$/)
  })
})

describe('shares', { skip: noLab, timeout: 800_000 }, () => {
  const service: Service = (_, stub) => {
    const { level } = decode(shareEnumRequest, stub)
    return level === 1 ? V.WINDOWS_SHARES_RESPONSE : encode(enumResponse('shares', 2, SHARE[2]), { entries: [], total: 0, resume: null, status: 5 })
  }
  for (const fragment of [4256, 100, 24])
    test(`in a Windows server's own bytes, padding included, in fragments of ${fragment}`, async () => {
      await using server = await windows(service, { fragment })
      const { code, stdout, stderr } = await asGuest(server, 'shares')
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /^C\$ +disk +\? +Default share\nShared +disk +\?\nIPC\$ +IPC +\? +Remote IPC\nADMIN\$ +disk +\? +Remote Admin$/m)
    })

  const lies: Record<string, readonly [change: (answer: Buffer) => Buffer, code: RegExp]> = {
    'cut off': [answer => answer.subarray(0, answer.length - 40), /WIRE/],
    'cut off within its header': [answer => answer.subarray(0, 9), /WIRE/],
    empty: [() => Buffer.alloc(0), /WIRE/],
    'of more bytes than it has': [answer => changed(answer, bytes => bytes.writeUInt16LE(4000, 8)), /WIRE/],
    'of a million shares': [
      answer =>
        changed(answer, bytes => {
          bytes.writeUInt32LE(1_000_000, 24 + 12)
          bytes.writeUInt32LE(1_000_000, 24 + 20)
        }),
      /WIRE/,
    ],
    'to another call': [answer => changed(answer, bytes => bytes.writeUInt32LE(99, 12)), /WIRE/],
    'of another kind': [answer => changed(answer, bytes => bytes.writeUInt8(14, 2)), /WIRE/],
    'of zeros': [answer => Buffer.alloc(answer.length), /WIRE/],
    'a fault': [answer => changed(answer.subarray(0, 32), bytes => (bytes.writeUInt8(3, 2), bytes.writeUInt16LE(32, 8))), /SERVER_REFUSED/],
  }
  for (const [what, [change, code]] of Object.entries(lies))
    test(`an answer ${what} is an error, not a crash`, async () => {
      let calls = 0
      await using server = await windows(service, { garble: answer => (calls++ < 1 ? answer : change(Buffer.from(answer))) })
      const { code: exit, stdout, stderr } = await asGuest(server, 'shares')
      assert.deepEqual([exit, stdout], [125, ''])
      assert.match(stderr, new RegExp(`^nbtrun: [^\\n]* \\[${code.source}\\]$`))
    })

  function changed(answer: Buffer, change: (bytes: Buffer) => unknown): Buffer {
    const bytes = Buffer.from(answer)
    change(bytes)
    return bytes
  }
})
