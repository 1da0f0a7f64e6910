import assert from 'node:assert/strict'
import { test } from 'node:test'
import { envName, OPTIONS, ROWS } from '../../../src/profile/options.ts'
import { namesShare, resolve } from '../../../src/profile/settings.ts'
import { parse } from '../../../src/profile/words.ts'

const from = (words: string, env: Record<string, string> = {}) =>
  resolve(parse(words === '' ? [] : words.split(' ')) ?? assert.fail(words), env, '/users/alice')
const S = '--share //srv/app'

test('what is not given has its fallback', () => {
  const { share, given, ...rest } = from(S)
  assert.deepEqual(
    share.map(s => s.label),
    ['//srv/app'],
  )
  assert.deepEqual(given, { share: 'flag' })
  assert.deepEqual(rest, {
    mount: undefined,
    user: undefined,
    'auth-file': undefined,
    'password-file': undefined,
    'password-fd': undefined,
    anonymous: false,
    guest: false,
    grace: undefined,
    'wait-for': 'tree',
    chdir: undefined,
    env: [],
    'read-only': false,
    receipt: undefined,
    verbose: 0,
    quiet: false,
    'dry-run': false,
    'program-from': undefined,
    'no-expand': false,
    'wine-prefix': undefined,
    mapping: 'auto',
    transport: 'auto',
    port: undefined,
    profile: undefined,
    'called-name': undefined,
    'calling-name': undefined,
    scope: undefined,
    'by-address': 'auto',
    wins: undefined,
    'name-order': ['lmhosts', 'dns', 'wins'],
    'hold-name': [],
    'min-dialect': '2.0.2',
    'max-dialect': '3.1.1',
    server: undefined,
    'auth-level': 'ntlmv2',
    'smb1-login': 'auto',
    'reset-client': false,
    signing: 'auto',
    'signing-algorithms': undefined,
    encrypt: false,
    ciphers: undefined,
    'connect-timeout': 10_000,
    'io-timeout': 20_000,
    'teardown-timeout': 5000,
    keepalive: 60_000,
    'no-reconnect': false,
    'kill-after': 5000,
    verify: 'no',
    wait: 0,
    'busy-exit-code': 75,
    'time-limit': undefined,
    'admin-auth-file': undefined,
    events: undefined,
    'strict-teardown': false,
  })
})

test('every option is judged by its own parser', () => {
  const s = from(
    `${S} --user DOM/alice --grace 1.5 --wait-for app --env A=1 --env B= --receipt - --events fd:3 -vv --port 1445 --called-name srv --signing required`,
  )
  assert.equal(s.user, 'DOM/alice')
  assert.equal(s.grace, 1500)
  assert.deepEqual(s.env, [
    { name: 'A', value: '1' },
    { name: 'B', value: '' },
  ])
  assert.deepEqual(
    [s['wait-for'], s.receipt, s.events, s.verbose, s.port, s['called-name'], s.signing],
    ['app', 'people', { fd: 3 }, 2, 1445, 'SRV', 'required'],
  )
})

test('the environment stands in for options, and the option wins', () => {
  const env = {
    NBTRUN_OPT_SHARE: '//srv/a\n//srv/b',
    NBTRUN_OPT_PORT: '1',
    NBTRUN_OPT_READ_ONLY: 'yes',
    NBTRUN_OPT_VERBOSE: '2',
    NBTRUN_OPT_ENV: 'A=1\r\nB=2',
    NBTRUN_OPT_DRY_RUN: '0',
    NBTRUN_OPT_GRACE: '',
    PATH: '/bin',
  }
  const s = from('--port 2', env)
  assert.deepEqual(
    s.share.map(x => x.label),
    ['//srv/a', '//srv/b'],
  )
  assert.deepEqual([s.port, s['read-only'], s.verbose, s['dry-run'], s.grace, s.env.length], [2, true, 2, false, undefined, 2])
  assert.deepEqual(s.given, { share: 'env', port: 'flag', 'read-only': 'env', verbose: 'env', env: 'env' })
})

test('--verify stands alone, or has its word behind =', () => {
  const verify = (line: string, env: Record<string, string> = {}): string => from(`${S} ${line}`.trim(), env).verify
  assert.deepEqual(
    ['', '--verify', '--verify=end', '--verify=no'].map(line => verify(line)),
    ['no', 'ask', 'end', 'no'],
  )
  assert.deepEqual(
    ['1', '0', 'end', 'ask'].map(text => verify('', { NBTRUN_OPT_VERIFY: text })),
    ['ask', 'no', 'end', 'ask'],
  )
  assert.equal(parse(['--verify', 'end']), undefined) // a program by that name
  assert.throws(() => verify('--verify=maybe'), { message: '--verify must be ask or end or no, not maybe' })
})

test('every option has its variable', () => {
  const samples: Record<string, string> = {
    share: '//srv/x',
    mount: 'm',
    user: 'u',
    env: 'A=1',
    'password-fd': '3',
    'wait-for': 'app',
    'program-from': 'path',
    mapping: 'private',
    transport: 'nbt',
    signing: 'required',
    'min-dialect': '3.0',
    'max-dialect': '2.1',
    server: 'nt4',
    'auth-level': 'lm',
    'smb1-login': 'raw',
    'signing-algorithms': 'AES-CMAC',
    ciphers: 'AES-256-GCM',
    receipt: 'r',
    events: 'e',
    verify: 'end',
    'by-address': 'status',
    wins: '10.0.0.1',
    'name-order': 'dns',
    'hold-name': 'N#20',
  }
  for (const [name, { kind, arg }] of ROWS) {
    const text = samples[name] ?? (kind === 'one' ? (arg === 'NAME' ? 'N' : '7') : '1')
    const smb1 = name === 'reset-client' ? { NBTRUN_OPT_MIN_DIALECT: 'NT1' } : {} // means nothing without
    const s = resolve(name === 'share' ? {} : { share: ['//srv/app'] }, { [envName(name)]: text, ...smb1 }, '/')
    assert.equal(s.given[name], 'env', name)
    assert.notDeepEqual(s[name], { one: undefined, many: [], flag: false, count: 0 }[kind], name)
  }
})

test('names: servers by their addresses, an order of words, and what can be held', () => {
  const s = from(`${S} --wins 10.0.0.2,10.0.0.3 --name-order host,bcast --hold-name payroll --hold-name LEDGER#1d`)
  assert.deepEqual(
    [s.wins, s['name-order'], s['hold-name']],
    [
      ['10.0.0.2', '10.0.0.3'],
      ['dns', 'bcast'],
      ['payroll', 'LEDGER#1d'],
    ],
  )
  for (const [words, message] of [
    ['--wins srv', '--wins must be IPv4 addresses with commas between, not srv'],
    ['--wins 10.0.0.2,', '--wins must be IPv4 addresses with commas between, not 10.0.0.2,'],
    ['--name-order nis', '--name-order must be some of lmhosts,dns,wins,bcast, each once, not "nis"'],
    ['--name-order dns,host', '--name-order must be some of lmhosts,dns,wins,bcast, each once, not "dns,host"'],
    [
      '--hold-name a-name-that-is-too-long',
      '--hold-name must be a NetBIOS name of 1 to 15 characters, such as PAYROLL or PAYROLL#20, not a-name-that-is-too-long',
    ],
    ['--hold-name X#200', '--hold-name must be a NetBIOS name of 1 to 15 characters, such as PAYROLL or PAYROLL#20, not X#200'],
    ['--hold-name *SMBSERVER', '--hold-name must be a name that does not begin with *, not *SMBSERVER'],
    ['--by-address ask', '--by-address must be auto or status, not ask'],
  ] as const)
    assert.throws(() => from(`${S} ${words}`), { code: 'USAGE', message })
})

test('a range of dialects has both its ends, one at least, and SMB1 only when asked for', () => {
  const s = from(`${S} --min-dialect 2.1 --max-dialect 3.0.2`)
  assert.deepEqual([s['min-dialect'], s['max-dialect']], ['2.1', '3.0.2'])
  assert.equal(from(`${S} --min-dialect 3.0 --max-dialect 3.0`)['min-dialect'], '3.0')
  assert.throws(() => from(`${S} --min-dialect 3.0 --max-dialect 2.1`), { code: 'USAGE', message: '--min-dialect 3.0 is above --max-dialect 2.1' })
  assert.throws(() => from(`${S} --min-dialect 3.0`, { NBTRUN_OPT_MAX_DIALECT: '2.0.2' }), {
    message: '--min-dialect 3.0 is above NBTRUN_OPT_MAX_DIALECT 2.0.2',
  })
  assert.equal(from(S)['min-dialect'], '2.0.2')
  for (const smb1 of ['NT1', 'nt1', '1.0', '1', 'smb1']) assert.equal(from(`${S} --min-dialect ${smb1}`)['min-dialect'], 'NT1')
  assert.throws(() => from(`${S} --max-dialect NT1`), { message: '--min-dialect 2.0.2 is above --max-dialect NT1' })
  assert.equal(from(`${S} --server nt4 --reset-client`)['reset-client'], true)
  assert.throws(() => from(`${S} --reset-client`), { code: 'USAGE', message: '--reset-client is for SMB1, which is not allowed here' })
  assert.throws(() => from(`${S} --max-dialect 3`), { message: '--max-dialect must be NT1 or 2.0.2 or 2.1 or 3.0 or 3.0.2 or 3.1.1, not 3' })
})

test('--server nt4 stands for what such a server needs, and what is said otherwise wins', () => {
  const preset = (line: string, env: Record<string, string> = {}): unknown[] => {
    const s = from(`${S} --server nt4 ${line}`.trim(), env)
    return [s['min-dialect'], s['max-dialect'], s['auth-level'], s.transport]
  }
  assert.deepEqual(preset(''), ['NT1', 'NT1', 'ntlm', 'nbt'])
  assert.deepEqual(preset('--auth-level ntlmv2 --transport tcp --max-dialect 3.1.1'), ['NT1', '3.1.1', 'ntlmv2', 'tcp'])
  assert.deepEqual(preset('', { NBTRUN_OPT_AUTH_LEVEL: 'lm' }), ['NT1', 'NT1', 'lm', 'nbt'])
  assert.throws(() => from(`${S} --server nt3`), { code: 'USAGE', message: '--server must be nt4, not nt3' })
})

test('ciphers and signing algorithms keep their order and are named once each', () => {
  const s = from(`${S} --encrypt --ciphers aes-256-gcm,AES-128-CCM --signing-algorithms AES-CMAC`)
  assert.deepEqual([s.encrypt, s.ciphers, s['signing-algorithms']], [true, ['AES-256-GCM', 'AES-128-CCM'], ['AES-CMAC']])
  for (const list of ['AES', 'AES-128-GCM,', 'AES-128-GCM,AES-128-GCM', ','])
    assert.throws(() => from(`${S} --ciphers ${list}`), { code: 'USAGE', message: /^--ciphers must be one or more of AES-128-GCM, .*, each once, not / })
})

test('a complaint names where the value came from', () => {
  assert.throws(() => from(`${S} --port 0`), { message: '--port must be 1 to 65535, not 0' })
  assert.throws(() => from(S, { NBTRUN_OPT_PORT: 'abc' }), { message: 'NBTRUN_OPT_PORT must be 1 to 65535, not abc' })
  assert.throws(() => from(S, { NBTRUN_OPT_QUIET: 'maybe' }), { message: 'NBTRUN_OPT_QUIET must be 1 or 0, not maybe' })
  assert.throws(() => from(S, { NBTRUN_OPT_VERBOSE: '-1' }), { message: 'NBTRUN_OPT_VERBOSE must be 0 to 9, not -1' })
  assert.throws(() => from('', { NBTRUN_OPT_SHARE: '\\srv\\app' }), {
    code: 'SHELL_ATE_SHARE',
    message: 'NBTRUN_OPT_SHARE lost a backslash to the shell: \\srv\\app',
  })
})

test('a mistyped variable is refused, a password in one without its value', () => {
  assert.throws(() => from(S, { NBTRUN_OPT_GRACEE: '3' }), { code: 'USAGE', message: 'NBTRUN_OPT_GRACEE is no option' })
  assert.throws(
    () => from(S, { NBTRUN_OPT_PASSWORD: 'gehe1m' }),
    (e: { code: string; line: string }) => e.code === 'PASSWORD_IN_ARGV' && !e.line.includes('gehe1m'),
  )
})

test('a password behind the user is refused without being repeated', () => {
  for (const user of ['alice%gehe1m', 'DOM/alice%gehe1m', 'alice%', 'alice:gehe1m'])
    assert.throws(
      () => from(`${S} --user=${user}`),
      (e: { code: string; line: string; cause: unknown }) => e.code === 'PASSWORD_IN_ARGV' && !e.line.includes('gehe1m') && e.cause === undefined,
      user,
    )
})

test('a scalar given twice is refused', () => {
  assert.throws(() => resolve({ share: ['//srv/app'], port: ['1', '1'] }, {}, '/'), { code: 'USAGE', message: '--port is given 2 times' })
})

test('--mount says the point of a single share', () => {
  assert.equal(from(`${S} --mount /mnt`).share[0]?.point, '/mnt')
  assert.equal(from(`${S} --mount sub/dir`).share[0]?.point, '/users/alice/sub/dir')
  assert.equal(from(`${S} --mount ../x/`).share[0]?.point, '/users/x')
  const both = from(`${S}=p: --mount /mnt`).share[0]
  assert.deepEqual([both?.point, both?.drive], ['/mnt', 'P:'], 'a folder of this machine, and a drive for Windows programs')
  assert.deepEqual([from(`${S} --mount p:`).share[0]?.point, from(`${S} --mount p:`).share[0]?.drive], [undefined, 'P:'])
  assert.throws(() => from(`${S} ${S} --mount /mnt`), { message: '--mount is for a single share' })
  assert.throws(() => from(`${S}=/a --mount /mnt`), { message: '//srv/app has two points: /a and /mnt' })
})

test('points must be usable', () => {
  assert.throws(() => from(`${S}=P: --mapping none`), { code: 'USAGE', message: '//srv/app has a point, but --mapping none shows no files' })
  assert.throws(() => from('--share //srv/a=p: --share //srv/b=P:'), { code: 'USAGE', message: 'two shares have the drive P:' })
  assert.throws(() => from(`${S}=/a --mapping none`), { code: 'USAGE' })
  assert.throws(() => from('--share //srv/a=/m --share //srv/b=/m/'), { message: 'two shares have the point /m' })
})

test('there is no run without a share', () => {
  assert.throws(() => from('--quiet'), { code: 'USAGE', message: 'no share is given' })
})

test('of two ways to log in, the flag wins over the environment; two of one place are refused', () => {
  assert.throws(() => from(`${S} --anonymous --guest`), { message: '--anonymous and --guest exclude each other' })
  assert.throws(() => from(`${S} --user a --guest`), { code: 'USAGE' })
  assert.throws(() => from(`${S} --password-file f --auth-file g`), { code: 'USAGE' })
  assert.throws(() => from(`${S} -v -q`), { code: 'USAGE' })
  assert.throws(() => from(S, { NBTRUN_OPT_USER: 'a', NBTRUN_OPT_ANONYMOUS: '1' }), { message: 'NBTRUN_OPT_USER and NBTRUN_OPT_ANONYMOUS exclude each other' })
  const s = from(`${S} --anonymous`, { NBTRUN_OPT_USER: 'alice', NBTRUN_OPT_PASSWORD_FILE: 'f' })
  assert.deepEqual([s.anonymous, s.user, s['password-file']], [true, undefined, undefined])
  assert.equal(from(`${S} --user alice`, { NBTRUN_OPT_ANONYMOUS: 'no' }).user, 'alice')
})

test('a share in the environment counts unless it is empty', () => {
  assert.equal(namesShare({ NBTRUN_OPT_SHARE: '//h/x' }), true)
  assert.equal(namesShare({ NBTRUN_OPT_SHARE: '' }), false)
})

test('the table has no two options of one name', () => {
  const names = ROWS.flatMap(([name, row]) => [name, ...(row.aliases ?? []), ...(row.short === undefined ? [] : [row.short])])
  assert.equal(new Set(names).size, names.length)
  assert.deepEqual(
    ROWS.map(([name]) => name),
    Object.keys(OPTIONS),
  )
})
