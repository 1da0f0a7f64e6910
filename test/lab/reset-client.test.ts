// --reset-client: SMB1's VcNumber 0, which ends every other session of this machine. A Samba that does so (`reset on zero vc`).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type Lab, startLab } from './index.ts'
import { said, until } from './journal.ts'
import { here, nbtrun, nbtrunReceipt, noLab, nothingLeft, words } from './nbtrun.ts'

describe('--reset-client', { skip: noLab, timeout: 120_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { global: ['server min protocol = NT1', 'reset on zero vc = yes'] } }, clients: ['client1', 'client2'] })
  })
  after(() => lab?.dispose())

  const NT1 = ['--mapping', 'none', '--grace', '0', '--min-dialect', 'NT1', '--max-dialect', 'NT1']
  const users = async (): Promise<string[]> => (await lab.server().sessions()).map(({ user }) => user).sort()

  /** Another user's run, which does not come back by itself. */
  async function other(client: string, as: 'bob' | 'boss') {
    const events = here(lab, `${as}.events`, { client })
    const program = ['/bin/sh', '-c', 'echo ready; read -r line; exit 0']
    const run = lab.spawn(client, words(lab, program, { as, options: [...NT1, '--no-reconnect', '--events', events] }), { stdin: 'pipe' })
    await said(run)
    const end = async (): Promise<string> => {
      run.stdin?.end('\n')
      return String((await run).stderr)
    }
    return { lost: () => readFileSync(events, 'utf8').includes('"lost"'), end }
  }

  test('ends the other sessions of this machine, and says so; without it they stay, and those of other machines always do', async () => {
    const [bob, boss] = [await other('client1', 'bob'), await other('client2', 'boss')]
    const plain = await nbtrun(lab, ['/bin/true'], { options: NT1 })
    assert.deepEqual([plain.code, plain.stderr, await users()], [0, '', ['bob', 'boss']])
    const { code, stderr, receipt } = await nbtrunReceipt(lab, ['/bin/true'], { options: [...NT1, '--reset-client'] })
    const warning = "--reset-client: srv ends all other sessions of this machine there, other users' and other machines' behind the same address too"
    assert.deepEqual([code, stderr, receipt.end], [0, `nbtrun: ${warning}; what they had open is closed\n`, 'acknowledged'])
    assert.deepEqual(receipt.warnings, [warning])
    await until('the loss', () => bob.lost(), 20_000)
    assert.deepEqual([await users(), boss.lost()], [['boss'], false])
    assert.match(await bob.end(), /the connection to srv is lost/)
    assert.equal(await boss.end(), '')
    await nothingLeft(lab)
  })

  test('is refused, before anybody logs in, where SMB1 is not allowed, and where the server speaks something better', async () => {
    const bob = await other('client1', 'bob')
    const early = await nbtrun(lab, ['/bin/true'], { options: ['--reset-client'] })
    assert.deepEqual(
      [early.code, early.stderr],
      [125, 'nbtrun: --reset-client is for SMB1, which is not allowed here; allow it with --min-dialect NT1, or --server nt4 [USAGE]\n'],
    )
    const late = await nbtrun(lab, ['/bin/true'], { options: ['--min-dialect', 'NT1', '--reset-client'] })
    assert.equal(late.code, 125)
    assert.match(late.stderr, /^nbtrun: srv speaks SMB 3\.1\.1, which knows no --reset-client; leave it out: [^\n]* \[DIALECT_REFUSED\]\n$/)
    assert.deepEqual(await users(), ['bob'])
    assert.equal(await bob.end(), '')
    await nothingLeft(lab)
  })
})
