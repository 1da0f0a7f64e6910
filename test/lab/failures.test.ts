import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { type Lab, useLab, type User } from './index.ts'
import { noLab, nothingLeft, nothingLeftHere } from './nbtrun.ts'

interface Case {
  readonly name: string
  readonly words: (lab: Lab) => readonly string[]
  readonly exit?: number
  readonly says: RegExp
  /** The documented limit, ms, beside what a busy machine makes of half a second for nbtrun itself; the default limit of connecting is 10 s. */
  readonly withinMs?: number
  readonly input?: string
}

const to =
  (share: string, ...more: string[]) =>
  (lab: Lab): string[] => ['--share', share, '--auth-file', lab.authFile(), ...more, '--', 'true']

const CASES: readonly Case[] = [
  {
    name: 'a wrong password',
    words: () => ['--share', '//srv/app', '--user', 'alice', '--password-fd', '0', '--', 'true'],
    input: 'wrong\n',
    says: /logging in as alice on srv: .*STATUS_LOGON_FAILURE.*; check user/,
  },
  { name: 'an unknown share', words: to('//srv/nothing'), says: /connecting to \/\/srv\/nothing: .*STATUS_BAD_NETWORK_NAME.*; check the name/ },
  { name: 'no permission', words: to('//srv/private'), says: /connecting to \/\/srv\/private: .*STATUS_ACCESS_DENIED.*; ask/ },
  {
    name: 'a host that is not there',
    words: to('//198.18.255.254/app', '--connect-timeout', '1s'),
    says: /cannot connect to 198\.18\.255\.254 .*; check/,
    withinMs: 1000,
  },
  { name: 'a name that nobody knows', words: to('//nowhere.invalid/app'), says: /server nowhere\.invalid not found.*; check the spelling/, withinMs: 10_000 },
  { name: 'a closed port', words: to('//srv/app', '--port', '4'), says: /cannot connect to srv \(4: refused\); check/ },
  { name: 'a share that the shell ate', words: to('\\srvapp'), says: /--share lost its backslashes to the shell.*single quotes/ },
  { name: 'a password in a share', words: to('//alice:secret@srv/app'), says: /--share has a password in it.*--password-file/ },
  { name: 'a password in argv', words: lab => ['--password', 'secret', ...to('//srv/app')(lab)], says: /--password would show the password.*--password-file/ },
  {
    name: 'no password and no terminal',
    words: () => ['--share', '//srv/app', '--user', 'alice', '--', 'true'],
    says: /no password for alice on srv.*--password-file, --password-fd or --auth-file/,
  },
]

describe('a failure says what to do, in one line, and leaves nothing', { skip: noLab }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })

  for (const { name, words, says, exit = 125, withinMs = 0, input } of CASES) {
    for (const user of [undefined, 'bob'] as readonly (User | undefined)[]) {
      test(`${name}, as ${user ?? 'root'}`, async () => {
        const line = words(lab).map(word => word.replace('alice.auth', `${user ?? 'alice'}.auth`))
        const { code, stderr, stdout, ms } = await lab.run('client1', ['nbtrun', ...line], {
          ...(user === undefined ? {} : { user }),
          ...(input === undefined ? {} : { input }),
        })
        assert.match(stderr, new RegExp(`^nbtrun: ${says.source}[^\\n]*\\n$`))
        assert.ok(!stderr.includes('secret'))
        assert.deepEqual([code, stdout], [exit, ''])
        assert.ok(ms < withinMs + 8000, `${ms} ms`)
        await nothingLeft(lab)
      })
    }
  }

  test('a server that says nothing is given up after --connect-timeout', async () => {
    const restore = [445, 139].map(port => lab.mute('srv2', port))
    try {
      const line = ['nbtrun', '--share', '//srv2/files', '--auth-file', lab.authFile(), '--connect-timeout', '3s', '--', 'true']
      const { code, stderr, ms } = await lab.run('client1', line)
      assert.equal(code, 125)
      assert.match(stderr, /^nbtrun: cannot connect to srv2 \(445: no answer within [\d.]+ m?s, 139: no answer within [\d.]+ m?s\); check[^\n]*\n$/)
      assert.ok(ms > 3000 && ms < 9500, `${ms} ms`)
      nothingLeftHere(lab)
    } finally {
      for (const back of restore) back()
    }
  })

  for (const { name, words, exit = 125, input } of CASES) {
    test(`${name}, 50 times in a row`, { timeout: 280_000 }, async () => {
      // five at a time: what is counted is what they leave, not what they take
      for (let round = 0; round < 10; round++) {
        const runs = Array.from({ length: 5 }, () => lab.run('client1', ['nbtrun', ...words(lab)], input === undefined ? {} : { input }))
        for (const { code } of await Promise.all(runs)) assert.equal(code, exit)
      }
      await nothingLeft(lab)
    })
  }
})
