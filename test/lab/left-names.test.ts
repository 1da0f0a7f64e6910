// NetBIOS names that a killed run left at the name server: given back by `nbtrun reap` and by every run's start, and nothing that is another's.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { type Lab, missing, startLab } from './index.ts'
import { entries, journalOf, onlyEntry, runs, said, until } from './journal.ts'
import { nmblookup, QUIET } from './nbt-node.ts'

describe('a name that a killed run left', { skip: missing('lab'), timeout: 200_000 }, () => {
  let lab: Lab
  let wins: string
  before(async () => {
    lab = await startLab({ servers: { srv: { global: QUIET } }, clients: ['alpha', 'beta', 'gamma'], reachable: false })
    wins = lab.server().address
  })
  after(() => lab?.dispose())
  afterEach(() => assert.deepEqual([entries(lab, 'alpha'), entries(lab, 'beta')], [[], []]))

  const address = (client: string): string => lab.host(client).address
  const atWins = (name: string): Promise<string> => nmblookup(lab, '--recursion', `--unicast=${wins}`, name)
  const registered = async (name: string): Promise<string[]> => [...(await atWins(`${name}#20`)).matchAll(/^(\S+) \w+<20>$/gm)].map(([, at = '']) => at)
  const words = (program: readonly string[], options: readonly string[] = []): string[] => [
    ...'nbtrun --share //srv/app --mapping none --grace 0 --kill-after 0.2 --auth-file'.split(' '),
    lab.authFile(),
    ...options,
    '--',
    ...program,
  ]
  const run = (client: string, ...options: string[]) => lab.run(client, words(['true'], options), { user: 'root' })
  const reap = (client = 'alpha') => lab.run(client, ['nbtrun', 'reap'], { user: 'root' })

  async function holding(client: string, name: string) {
    const child = lab.spawn(client, words(['sh', '-c', 'echo ready; read line; exit 0'], ['--hold-name', name, '--wins', wins]), {
      user: 'root',
      stdin: 'pipe',
    })
    await said(child)
    return { child } // a promise itself
  }
  async function killed(name: string): Promise<void> {
    const { child } = await holding('alpha', name)
    child.kill('SIGKILL')
    await child
    assert.deepEqual(await registered(name), [address('alpha')], 'the name server knows nothing of it')
  }

  test('is in the journal, listed, and given back by reap; the name of a live run is not touched', async () => {
    const { child: live } = await holding('alpha', 'ALIVE')
    await killed('DEAD')
    const listed = (await runs(lab, { user: 'root' }, 'alpha')).map(({ state, names }) => [state, names])
    const held = (name: string) => [{ name, addresses: [address('alpha')], wins: [wins] }]
    assert.deepEqual(listed, [
      ['live', held('ALIVE<20>')],
      ['dead', held('DEAD<20>')],
    ])
    const { stdout } = await lab.run('alpha', ['nbtrun', 'runs'], { user: 'root' })
    assert.match(stdout, /live .*\/\/srv\/app, ALIVE<20>/)
    assert.match(stdout, new RegExp(`dead .*the name DEAD<20> at ${wins}`))
    const reaped = await reap()
    assert.match(reaped.stdout, new RegExp(`^run [0-9a-f]{8} is dead; gave back name DEAD<20> at ${wins}\n$`), reaped.stderr)
    assert.deepEqual([await registered('DEAD'), await registered('ALIVE')], [[], [address('alpha')]])
    assert.ok(onlyEntry(lab, 'alpha').some(({ what, text }) => what === 'name' && text === 'ALIVE'))
    live.stdin?.end()
    assert.equal((await live).exitCode, 0)
    assert.deepEqual(await registered('ALIVE'), [])
  })

  test('is given back by the start of any run, and by one that holds it itself', async () => {
    await killed('DEAD')
    const any = lab.spawn('alpha', words(['sh', '-c', 'echo ready; read line; exit 0']), { user: 'root', stdin: 'pipe' })
    await said(any)
    const dueAt = performance.now() + 30_000
    while ((await registered('DEAD')).length > 0 && performance.now() < dueAt); // beside the program, not before it
    any.stdin?.end()
    const { exitCode, stderr } = await any
    assert.deepEqual([exitCode, stderr, await registered('DEAD'), entries(lab, 'alpha')], [0, '', [], []])
    await killed('DEAD')
    const { child: again } = await holding('alpha', 'DEAD')
    assert.deepEqual(await registered('DEAD'), [address('alpha')], 'it has it in its turn')
    // another run neither waits for that one nor takes the name from it
    assert.equal((await run('alpha')).code, 0)
    assert.deepEqual(await registered('DEAD'), [address('alpha')])
    again.stdin?.end()
    assert.equal((await again).exitCode, 0)
    assert.deepEqual(await registered('DEAD'), [])
  })

  test('a name server that does not answer: the entry stays, one line says so, once, and no run waits for it', async () => {
    await killed('DEAD')
    const entry = join(journalOf(lab, 'alpha', 'root'), entries(lab, 'alpha')[0] ?? '')
    const { pid } = lab.server().host.daemons!.nmbd
    process.kill(pid, 'SIGSTOP')
    try {
      const stays = new RegExp(
        `^(nbtrun: )?run [0-9a-f]{8} is dead; its name DEAD<20> stays registered \\(${wins}\\): the name server ${wins} does not answer\n$`,
      )
      const program = lab.spawn('alpha', words(['sh', '-c', 'echo ready; read line; exit 0']), { user: 'root', stdin: 'pipe' })
      await said(program) // it has started, and nobody has answered
      await until('the account', () => readIfThere(entry).includes('"told"'), 30_000)
      program.stdin?.end()
      const { exitCode, stderr } = await program
      assert.equal(exitCode, 0)
      assert.match(String(stderr), stays)
      assert.match((await reap()).stdout, stays)
      const later = await lab.run('alpha', words(['sleep', '2']), { user: 'root' })
      assert.deepEqual([later.code, later.stderr, entries(lab, 'alpha').length], [0, '', 1], 'it was told before')
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    assert.match((await reap()).stdout, /gave back name DEAD<20>/)
  })

  test("another host's name is never touched, whatever an entry says; an address that is ours no more is no reason either", async () => {
    const { child: other } = await holding('beta', 'CARGO')
    await killed('DEAD')
    const place = journalOf(lab, 'alpha', 'root')
    const [name = ''] = entries(lab, 'alpha')
    const forge = (from: string, to: string): void => {
      const file = join(place, name)
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(from, to))
    }
    mkdirSync(join(lab.host('alpha').folder, 'kept'))
    copyFileSync(join(place, name), join(lab.host('alpha').folder, 'kept', name))
    // an entry that claims beta's name for alpha
    forge('"DEAD"', '"CARGO"')
    assert.equal((await reap()).stdout, 'there is nothing to give back\n')
    assert.deepEqual([await registered('CARGO'), entries(lab, 'alpha')], [[address('beta')], []])
    // and one that claims it for beta
    copyFileSync(join(lab.host('alpha').folder, 'kept', name), join(place, name))
    forge('"DEAD"', '"CARGO"')
    forge(address('alpha'), address('beta'))
    assert.match((await reap()).stdout, new RegExp(`its name CARGO<20> stays registered .*: ${address('beta')} is no address of this machine now`))
    assert.deepEqual(await registered('CARGO'), [address('beta')])
    copyFileSync(join(lab.host('alpha').folder, 'kept', name), join(place, name))
    assert.match((await reap()).stdout, /gave back name DEAD<20>/)
    other.stdin?.end()
    assert.equal((await other).exitCode, 0)
  })
})

/** Empty where it has another name for the moment, of the one that gives it back. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
