import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { type Lab, missing, useLab } from './index.ts'

describe('nbtrun names', { skip: missing('lab'), timeout: 800_000 }, () => {
  let lab: Lab
  let wins: string
  let me: string
  before(async () => {
    lab = await useLab()
    wins = lab.server().address
    me = lab.host('client1').address
    // nmbd takes a while to claim its names on the wire
    for (const asking of [
      ['--recursion', `--unicast=${wins}`, 'SRV#20'],
      [`--broadcast=${wins.replace(/\.\d+$/, '.255')}`, 'SRV2#20'],
    ])
      while ((await lab.run('client1', ['nmblookup', ...asking])).code !== 0);
  })

  const names = async (...words: string[]): Promise<{ code: number | undefined; stdout: string; stderr: string }> => {
    // an ordinary user, who may not bind port 137
    const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', 'names', ...words], { user: 'alice' })
    return { code, stdout, stderr }
  }
  const said = (stdout: string) => ({ code: 0, stdout: `${stdout}\n`, stderr: '' })

  test('register, query, refresh, release at nmbd', async () => {
    const spelled = 'LEDGER<20>'
    assert.deepEqual(await names('register', 'ledger', '--wins', wins), said(`${spelled} is registered at ${wins} for 300000 s; nobody defends it`))
    assert.deepEqual(await names('query', 'ledger#20', '--wins', wins), said(`${me} ${spelled}`))
    assert.deepEqual(await names('refresh', 'ledger', '--wins', wins), said(`${spelled} is prolonged at ${wins} for 300000 s`))
    const released = await names('release', 'ledger', '--wins', wins)
    assert.equal(released.code, 0)
    assert.match(released.stdout, new RegExp(`^${wins}: (released|not registered)\n$`))
    const gone = await names('refresh', 'ledger', '--wins', wins)
    assert.deepEqual([gone.code, gone.stdout], [125, ''])
    assert.match(gone.stderr, new RegExp(`^nbtrun: LEDGER<20> not found \\(wins ${wins}: no such name\\)`))
    // a name of somebody else
    const held = await names('refresh', 'srv', '--wins', wins)
    assert.deepEqual([held.code, held.stderr], [75, `nbtrun: the name SRV<20> is held by ${wins} [NAME_HELD]\n`])
  })

  test('status by name and by address, for people and as JSON', async () => {
    const byName = await names('status', 'srv')
    assert.match(byName.stdout, new RegExp(`^Names of ${wins}, network card 00:00:00:00:00:00\n.*^SRV<20> +unique  active$.*^LAB<00> +group   active$`, 'ms'))
    const { stdout } = await names('status', wins, '--json')
    const status = JSON.parse(stdout) as { address: string; names: { name: string; group: boolean }[] }
    assert.equal(status.address, wins)
    assert.ok(status.names.some(({ name, group }) => name === 'SRV<20>' && !group))
  })

  test('query by broadcast, and as JSON', async () => {
    assert.deepEqual(await names('query', 'srv2'), said(`${lab.server('srv2').address} SRV2<20>`))
    const { stdout } = await names('query', 'srv2', '--json')
    const { addresses, by } = JSON.parse(stdout) as { addresses: string[]; by: string }
    assert.deepEqual([addresses, by], [[lab.server('srv2').address], 'broadcast'])
  })

  test('what is wrong is said in one line', async () => {
    for (const [words, line] of [
      [['register', 'x'], 'no name server is named; add --wins ADDRESS [USAGE]'],
      [['query', 'x', '--wins', 'srv'], '--wins must be IPv4 addresses with commas between, not srv; see nbtrun --help [USAGE]'],
      [['lookup', 'x'], 'names lookup is no action; one of status, query, register, refresh, release [USAGE]'],
      [['query', 'a-name-that-is-too-long', '--wins', wins], /^a-name-that-is-too-long is not a NetBIOS name;/],
      [['query', 'x', '--wins', wins, '--timeout', '0'], '--timeout must be longer than 0, not 0; see nbtrun --help [USAGE]'],
    ] as const) {
      const { code, stderr } = await names(...words)
      assert.equal(code, 125)
      const [said_ = '', ...more] = stderr
        .replace(/^nbtrun: /, '')
        .trimEnd()
        .split('\n')
      assert.deepEqual(more, [])
      if (typeof line === 'string') assert.equal(said_, line)
      else assert.match(said_, line)
    }
  })
})
