// Hosts that are found under NetBIOS names, by whom, and by nobody who was not asked.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import type { Receipt } from '../../src/run/receipt.ts'
import { type Lab, missing, startLab } from './index.ts'
import { QUIET } from './nbt-node.ts'
import { here } from './nbtrun.ts'

describe('a server that NetBIOS knows', { skip: missing('lab', 'capture'), timeout: 800_000 }, () => {
  let lab: Lab
  let wins: string
  before(async () => {
    lab = await startLab({ servers: { srv: { global: [...QUIET, 'netbios aliases = LEGACY'] } }, clients: ['alpha'], reachable: false })
    wins = lab.server().address
    // nmbd takes a while to claim its names on the wire
    const asking = ['nmblookup', `--broadcast=${wins.replace(/\.\d+$/, '.255')}`, 'LEGACY#20']
    while ((await lab.run('alpha', asking, { user: 'root' })).code !== 0);
  })
  after(() => lab.dispose())

  const words = (options: readonly string[]): string[] => [
    ...'nbtrun --mapping none --grace 0 --auth-file'.split(' '),
    lab.authFile(),
    '--receipt',
    here(lab, 'receipt.json', { user: 'root', client: 'alpha' }),
    ...options,
    '--',
    'true',
  ]
  const run = (options: readonly string[]) => lab.run('alpha', words(options), { user: 'root' })
  const receipt = (): Receipt => JSON.parse(readFileSync(here(lab, 'receipt.json', { user: 'root', client: 'alpha' }), 'utf8')) as Receipt

  for (const [title, share, options, foundBy, tried] of [
    ['a name server', '//legacy/app', () => ['--wins', wins], 'wins', ['name legacy by dns: failed', 'name legacy by wins: found']],
    ['a broadcast that is named', '//legacy/app', () => ['--name-order', 'dns,bcast'], 'bcast', ['name legacy by dns: failed', 'name legacy by bcast: found']],
    ['DNS', '//srv/app', () => ['--wins', wins], 'dns', ['name srv by dns: found']],
    ['DNS before others, under its other word', '//srv/app', () => ['--name-order', 'host,bcast'], 'dns', ['name srv by dns: found']],
  ] as const) {
    test(`found by ${title}, which the receipt says`, async () => {
      const { code, stderr } = await run(['--share', share, ...options()])
      assert.deepEqual([code, stderr], [0, ''])
      const { shares, steps } = receipt()
      assert.deepEqual(
        shares.map(each => [each.address, each.foundBy]),
        [[wins, foundBy]],
      )
      assert.deepEqual(
        steps.filter(({ phase }) => phase === 'reach').map(({ name, status }) => `${name}: ${status ?? 'failed'}`),
        tried,
      )
    })
  }

  test('found in LMHOSTS, where the system has it', async () => {
    const given = `mount -t tmpfs none /etc/samba && echo '${wins} OLDNT #PRE' >/etc/samba/lmhosts && exec "$@"`
    const all = words(['--share', '//oldnt/app'])
    const { code, stderr } = await lab.run('alpha', ['unshare', '--mount', 'sh', '-c', given, 'sh', ...all], { user: 'root' })
    assert.deepEqual([code, stderr], [0, ''])
    assert.deepEqual(
      receipt().shares.map(({ share, address: at, foundBy }) => [share, at, foundBy]),
      [['//oldnt/app', wins, 'lmhosts']],
    )
  })

  test('nobody broadcasts unasked, and never for a dotted name or an address: one line names each source', async () => {
    const capture = await lab.capture('alpha', 'udp port 137')
    for (const [host, options, line] of [
      ['legacy', [], /server legacy not found: /],
      ['nobody', ['--wins', wins], /server nobody not found \(dns: .*, wins: no such name\)/],
      ['legacy.example', ['--name-order', 'dns,wins,bcast', '--wins', wins], /server legacy\.example not found/],
      [wins.replace(/\.\d+$/, '.77'), ['--name-order', 'bcast', '--connect-timeout', '1'], /cannot connect to/],
    ] as const) {
      const { code, stderr } = await run(['--share', `//${host}/app`, ...options])
      assert.equal(code, 125)
      assert.match(stderr, line)
      assert.equal(stderr.trim().split('\n').length, 1)
    }
    const file = await capture.stop()
    const { stdout } = await execa('tshark', ['-r', file, '-Y', 'nbns.flags.broadcast == 1 && nbns.flags.response == 0', '-T', 'fields', '-e', 'ip.src'])
    assert.doesNotMatch(stdout, new RegExp(lab.host('alpha').address.replaceAll('.', '\\.')))
  })
})
