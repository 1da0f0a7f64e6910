import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { nearest } from '../../../src/profile/nearest.ts'
import { OPTIONS, ROWS } from '../../../src/profile/options.ts'
import { profileText } from '../../../src/profile/own-words.ts'
import { loadProfiles, type Profiles } from '../../../src/profile/profiles.ts'
import { profileSchema } from '../../../src/profile/schema.ts'
import { resolve, type Settings } from '../../../src/profile/settings.ts'
import type { Raw } from '../../../src/profile/words.ts'
import { randomWords } from '../cli/hostile.ts'

const folder = mkdtempSync(join(tmpdir(), 'nbtrun-profiles-'))
after(() => rmSync(folder, { recursive: true }))
const places = { user: join(folder, 'user'), system: join(folder, 'etc'), home: join(folder, 'home') }
beforeEach(() => {
  for (const each of [places.user, places.system]) {
    rmSync(each, { recursive: true, force: true })
    mkdirSync(each)
  }
})

const mine = (text: string, name = 'pay'): void => writeFileSync(join(places.user, `${name}.toml`), text)
const theirs = (text: string, name = 'config'): void => writeFileSync(join(places.system, `${name}.toml`), text)
const load = (name: string | undefined = 'pay'): Profiles => loadProfiles(name, places)
const settings = (raw: Raw = {}, env: Record<string, string> = {}): Settings => resolve(raw, env, '/', load().layers)

test('each kind of value is taken, as the line would take it', () => {
  mine(`
share = ["//srv/app", "//srv/data=/mnt/data"]
grace = 2.5
wait-for = "app"
read-only = true
env = "A=b c"
port = 1445
ciphers = ["AES-256-GCM", "AES-128-GCM"]
verify = true
verbose = 2
program = ["app.exe", "/month:10"]
`)
  const { share, grace, 'wait-for': waitFor, 'read-only': readOnly, env, port, ciphers, verify, verbose, given } = settings()
  assert.deepEqual(
    share.map(({ label, point }) => [label, point]),
    [
      ['//srv/app', undefined],
      ['//srv/data', '/mnt/data'],
    ],
  )
  assert.deepEqual(
    [grace, waitFor, readOnly, env, port, ciphers, verify, verbose],
    [2500, 'app', true, [{ name: 'A', value: 'b c' }], 1445, ['AES-256-GCM', 'AES-128-GCM'], 'ask', 2],
  )
  assert.equal(given.grace, 'profile')
  assert.deepEqual(load().program, ['app.exe', '/month:10'])
})

test('flags win over the environment, that over the profile, that over the administrator’s of the same name, that over the system’s file', () => {
  theirs('grace = 1\nkill-after = 1\nio-timeout = 1\nkeepalive = 1\nshare = "//srv/a"')
  theirs('grace = 2\nkill-after = 2\nio-timeout = 2\nkeepalive = 2', 'pay')
  mine('grace = 3\nkill-after = 3\nio-timeout = 3')
  const { grace, 'kill-after': killAfter, 'io-timeout': ioTimeout, keepalive } = settings({ grace: ['5'] }, { NBTRUN_OPT_KILL_AFTER: '4' })
  assert.deepEqual([grace, killAfter, ioTimeout, keepalive], [5000, 4000, 3000, 2000])
  assert.equal(resolve({}, {}, '/', loadProfiles(undefined, places).layers).grace, 1000, 'without a profile')
})

test('what is locked cannot be changed by anybody, and may be said again', () => {
  theirs('[locked]\nencrypt = true\nio-timeout = "30s"\nsigning = "required"')
  mine('share = "//srv/app"')
  const { encrypt, 'io-timeout': ioTimeout, signing, given } = settings({ encrypt: [''], 'io-timeout': ['30'] })
  assert.deepEqual([encrypt, ioTimeout, signing, given.encrypt], [true, 30_000, 'required', 'locked'])
  const line = `${join(places.system, 'config.toml')}:`
  const refused: [Raw, Record<string, string>, string][] = [
    [{ 'io-timeout': ['31'] }, {}, `--io-timeout cannot be changed here: ${line}3: io-timeout is locked`],
    [{}, { NBTRUN_OPT_SIGNING: 'auto' }, `NBTRUN_OPT_SIGNING cannot be changed here: ${line}4: signing is locked`],
    [{}, { NBTRUN_OPT_ENCRYPT: '0' }, `NBTRUN_OPT_ENCRYPT cannot be changed here: ${line}2: encrypt is locked`],
  ]
  for (const [raw, env, message] of refused) assert.throws(() => settings(raw, env), { code: 'USAGE', message, hint: /administrator/ })
  mine('share = "//srv/app"\nsigning = "auto"')
  assert.throws(() => settings(), { message: `${join(places.user, 'pay.toml')}:2: signing cannot be changed here: ${line}4: signing is locked` })
})

test('a locked login stands against every other way to log in', () => {
  theirs('[locked]\nauth-file = "a.auth"')
  mine('share = "//srv/app"')
  assert.equal(settings()['auth-file'], join(places.system, 'a.auth'))
  for (const raw of [{ guest: [''] }, { 'password-fd': ['7'] }] satisfies Raw[])
    assert.throws(() => settings(raw), { code: 'USAGE', message: /exclude each other/ })
})

test('a login of the line takes the place of the profile’s', () => {
  mine('share = "//srv/app"\nauth-file = "a.auth"')
  const { guest, 'auth-file': authFile } = settings({ guest: [''] })
  assert.deepEqual([guest, authFile], [true, undefined])
})

test('files lie beside the profile, or at home', () => {
  mine('auth-file = "a.auth"\nadmin-auth-file = "~/b.auth"\nreceipt = "fd:7"\nevents = "/e.json"\nshare = "//srv/app"')
  const { 'auth-file': a, 'admin-auth-file': b, receipt, events } = settings()
  assert.deepEqual([a, b, receipt, events], [join(places.user, 'a.auth'), join(places.home, 'b.auth'), { fd: 7 }, { file: '/e.json' }])
})

test('what is wrong is said with file, line and key, and nothing that was secret', () => {
  const file = join(places.user, 'pay.toml')
  const table: [string, RegExp][] = [
    ['\n\ngrce = 3', /:3: grce is no option; did you mean grace\?$/],
    ['grace = "soon"', /:1: grace must be a duration .* not soon/],
    ['guest = "yes"', /:1: guest must be true or false/],
    ['share = 3', /:1: share must be a text, or a list of texts/],
    ['port = [1]', /:1: port must be a text or a number/],
    ['port = 99999', /:1: port must be 1 to 65535, not 99999/],
    ['share = "\\\\srv\\\\app"\n', /:1: share lost a backslash/],
    ['# one\npassword = "gehe1m"', /:2: password must not stand in a profile; use --password-file/],
    ['user = "alice%gehe1m"', /:1: user has a password in it/],
    ['share = "//alice:gehe1m@srv/app"', /:1: share has a password in it/],
    ['grace = 1\n[locked]\ngrace = 1', /:2: \[locked\] is for the administrator/],
    ['a = "gehe1m\n', /:1: .*; profiles are TOML/],
    ['grace = 1\ngrace = 2', /:2: .*profiles are TOML/],
    ['program = "app"', /:1: program must be a list of texts/],
    ['program = []', /:1: program must be a list of texts/],
    ['profile = "x"', /:1: profile is for the command line/],
    ['[grace]\nx = 1', /:1: grace must be a text or a number/],
    ['quiet = true\nverbose = 1\nshare = "//s/a"', /pay\.toml:2: verbose and .*pay\.toml:1: quiet exclude each other/],
  ]
  for (const [text, line] of table) {
    mine(text)
    assert.throws(
      () => settings(),
      (thrown: Error & { line?: string }) => {
        const said = thrown.line ?? ''
        assert.ok(said.startsWith(file), said)
        assert.match(said, line)
        assert.ok(!`${said}${thrown.stack ?? ''}${String(thrown.cause)}`.includes('gehe1m'))
        return true
      },
    )
  }
})

test('a profile that is not there, or that everybody may write, is refused', () => {
  assert.throws(() => load('nope'), { code: 'USAGE', message: 'there is no profile nope' })
  assert.throws(() => load(join(folder, 'nope.toml')), { message: /^there is no profile / })
  mine('grace = 1')
  chmodSync(join(places.user, 'pay.toml'), 0o666)
  assert.throws(() => load(), { code: 'FILE_ERROR', message: /can be written by everybody$/, hint: /^chmod o-w / })
})

test('a profile is known by its path, too', () => {
  writeFileSync(join(folder, 'own.toml'), 'grace = 9')
  assert.deepEqual(load(join(folder, 'own.toml')).files, [join(folder, 'own.toml')])
})

test('the schema knows every option, and nothing else', () => {
  const { properties } = profileSchema() as { properties: Record<string, { type?: unknown; enum?: readonly string[] }> }
  const names = ROWS.map(([name]) => name).filter(name => name !== 'profile' && name !== 'dry-run')
  assert.deepEqual(Object.keys(properties), ['$schema', ...names, 'program', 'locked'])
  for (const [name, { enum: words = [] }] of Object.entries(properties)) for (const word of words) OPTIONS[name as keyof typeof OPTIONS].parse(word) // no word that the option refuses
  assert.deepEqual(JSON.parse(readFileSync(new URL('../../../docs/profile.schema.json', import.meta.url), 'utf8')), profileSchema())
})

test('what is written as a profile is read as the same words', () => {
  const program = randomWords(7, 300)
  const raw: Raw = { share: ['//srv/app', '//srv/b=/mnt/b'], env: program.map(word => `A=${word}`), grace: ['5s'], 'read-only': [''], verbose: ['', ''] }
  mine(profileText(raw, program))
  assert.deepEqual(load().program, program)
  const { env, grace, 'read-only': readOnly, verbose } = settings()
  assert.deepEqual([env.map(({ value }) => value), grace, readOnly, verbose], [program, 5000, true, 2])
})

test('the nearest word is found, and none where all are far', () => {
  const names = ROWS.map(([name]) => name)
  for (const [word, meant] of [
    ['grce', 'grace'],
    ['readonly', 'read-only'],
    ['auth-flie', 'auth-file'],
    ['passwordfile', 'password-file'],
    ['SHARE', 'share'],
    ['teardown-time', 'teardown-timeout'],
    ['frobnicate', undefined],
    ['x', undefined],
  ] as const)
    assert.equal(nearest(word, names), meant, word)
})
