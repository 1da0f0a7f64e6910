// The server closes the connection while the program idles.
import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noMapping, nothingLeft } from '../lab/nbtrun.ts'
import { closeConnections, Puppet, Witness } from './puppet.ts'

describe('a connection that the server closed while the program idled', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  const closed = (): Promise<void> => closeConnections(lab)

  for (const transport of ['tcp', 'nbt'] as const) {
    test(`is set up anew at the next request, once, over ${transport}; the receipt says so, and the end is acknowledged`, async () => {
      await using puppet = await Puppet.start(lab, { options: ['--transport', transport] })
      const witness = new Witness(lab)
      assert.equal(await puppet.ask("write('note', 'before')"), 'written')
      await witness.look()
      await closed()
      await lab.server().untilSessions(0)
      await witness.look()
      assert.deepEqual(await lab.server().sessions(), [], 'nobody asked for it yet')
      assert.equal(await puppet.ask("together(20, lambda i: read('note')) == ['before'] * 20"), 'True')
      assert.equal(await puppet.ask("write('note', 'after')"), 'written')
      await witness.look()
      const { code, stderr, receipt, events } = await puppet.end()
      assert.equal(await witness.neverTwo(), 2)
      assert.deepEqual([code, stderr], [0, ''])
      assert.deepEqual([receipt.reconnects, receipt.end, receipt.warnings], [1, 'acknowledged', []])
      assert.deepEqual(
        receipt.steps.filter(({ phase }) => phase === 'teardown').map(({ name, ok }) => `${name}: ${ok}`),
        ['mapping', 'folders', 'TREE_DISCONNECT app', 'TREE_DISCONNECT IPC$', 'LOGOFF srv', 'FIN srv'].map(name => `${name}: true`),
      )
      assert.deepEqual(
        events.flatMap(event => (event.type === 'lost' ? 'lost' : event.type === 'obtained' && 'again' in event ? 'again' : [])),
        ['again'],
      )
      assert.equal(readFileSync(disk('note'), 'utf8'), 'after')
    })
  }

  test('comes back by the same port, though the other one answers first', async () => {
    await using puppet = await Puppet.start(lab)
    await puppet.ask("write('note', 'there')")
    await closed()
    const speak = lab.mute('srv', 445)
    puppet.tell("read('note')")
    await pause(1000)
    speak()
    assert.equal(await puppet.said(), 'there')
    const { receipt } = await puppet.end()
    assert.deepEqual([receipt.shares[0]?.transport, receipt.reconnects, receipt.end], ['tcp:445', 1, 'acknowledged'])
  })

  test('opens stay open: reading, writing, appending, listing go on where they were', async () => {
    await using puppet = await Puppet.start(lab)
    assert.equal(await puppet.ask("[write(f'many{i}', str(i)) for i in range(300)][0]"), 'written')
    assert.equal(await puppet.ask("[op('new', RW|C|X), put('new', 'abc'), op('many7'), op('dir', R) if os.mkdir('dir') else op('many8', RW)][-1]"), 'open')
    await closed()
    assert.equal(
      await puppet.ask("[get('new'), put('new', 'DEF', 3), get('new'), get('many7'), put('many8', 'x', 5), os.fstat(d['many8']).st_size]"),
      "['abc', 3, 'abcDEF', '7', 1, 6]",
    )
    assert.equal(await puppet.ask("len(os.listdir('.')) > 300"), 'True')
    await closed()
    assert.equal(await puppet.ask("[put('new', 'x', 6), get('new')]"), "[1, 'abcDEFx']")
    const { receipt, stderr } = await puppet.end()
    assert.deepEqual([receipt.reconnects, receipt.end, stderr], [2, 'acknowledged', ''])
    assert.equal(readFileSync(disk('new'), 'utf8'), 'abcDEFx')
  })

  test('a listing that was cut goes on without a gap and without doubles', async () => {
    await using puppet = await Puppet.start(lab)
    mkdirSync(disk('long'))
    for (let i = 0; i < 1500; i++) writeFileSync(disk(`long/${String(i).padStart(4, '0')}-${'x'.repeat(100)}`), '')
    await puppet.ask("d.update(it=os.scandir('long'), first=[])")
    await puppet.ask("d['first'].extend(next(d['it']).name for _ in range(100))")
    await closed()
    assert.equal(await puppet.ask("sorted(d['first'] + [e.name for e in d['it']]) == sorted(os.listdir('long'))"), 'True')
    assert.equal(await puppet.ask("len(set(os.listdir('long')))"), '1500')
    assert.equal((await puppet.end()).receipt.reconnects, 1)
  })

  test('a file that was changed, replaced, renamed or removed meanwhile is EIO and named; the others go on', async () => {
    const names = ['grown', 'same-size', 'replaced', 'renamed', 'removed', 'kept', 'read', 'own-write']
    for (const name of names) {
      writeFileSync(disk(name), 'one')
      chmodSync(disk(name), 0o666)
    }
    utimesSync(disk('read'), new Date('2020-01-01'), new Date()) // Samba takes the oldest time of a file for the one of its creation
    await using puppet = await Puppet.start(lab)
    await puppet.ask(`[op(n, RW) for n in ${JSON.stringify(names)}]`)
    await puppet.ask("put('own-write', 'two')")
    await closed()
    appendFileSync(disk('grown'), 'more')
    writeFileSync(disk('same-size'), 'two')
    writeFileSync(disk('replaced.new'), 'one')
    renameSync(disk('replaced.new'), disk('replaced'))
    renameSync(disk('renamed'), disk('renamed.away'))
    rmSync(disk('removed'))
    assert.equal(readFileSync(disk('read'), 'utf8'), 'one')
    assert.ok(statSync(disk('read')).atimeMs > Date.now() - 3_600_000, 'the disk keeps no times of access')
    const tried = 'together(len(d), lambda i: (list(d)[i], get(list(d)[i])))'
    assert.equal(await puppet.ask(tried), "['EIO', 'EIO', 'EIO', 'EIO', 'EIO', ('kept', 'one'), ('read', 'one'), ('own-write', 'two')]")
    assert.equal(await puppet.ask("put('grown', 'x')"), 'EIO')
    assert.equal(await puppet.ask("os.close(d['grown'])"), 'None')
    assert.equal(await puppet.ask("[op('grown', RW), get('grown')]"), "['open', 'onemore']")
    const { stderr, events, receipt } = await puppet.end()
    const stale = events.flatMap(event => (event.type === 'lost' && 'file' in event ? event.file : []))
    assert.deepEqual(
      stale.sort(),
      names
        .slice(0, 5)
        .map(name => `//srv/app/${name}`)
        .sort(),
    )
    for (const name of names.slice(0, 5)) assert.match(stderr, new RegExp(`^nbtrun: //srv/app/${name} is lost to those who have it open \\(EIO\\): .+$`, 'm'))
    assert.equal(stderr.trim().split('\n').length, 5, stderr)
    assert.deepEqual([receipt.warnings.length, receipt.end], [5, 'acknowledged'])
  })

  test('locks are had again, all of them', async () => {
    await using one = await Puppet.start(lab)
    await one.ask("[op('locked', RW|C), put('locked', 'x' * 50)]")
    assert.equal(await one.ask("[lock('locked', fcntl.F_WRLCK, 0, 10), lock('locked', fcntl.F_RDLCK, 20, 10)]"), "['locked', 'locked']")
    await closed()
    assert.equal(await one.ask("get('locked', 2)"), 'xx')
    await using two = await Puppet.start(lab, { client: 'client2' })
    await two.ask("op('locked', RW)")
    const tried = [
      [0, 'RD'],
      [5, 'WR'],
      [25, 'WR'],
    ] as const
    for (const [start, kind] of tried) assert.equal(await two.ask(`lock('locked', fcntl.F_${kind}LCK, ${start}, 1)`), 'EAGAIN')
    assert.equal(await two.ask("[lock('locked', fcntl.F_RDLCK, 21, 1), lock('locked', fcntl.F_WRLCK, 10, 5)]"), "['locked', 'locked']")
    assert.equal(await one.ask("[lock('locked', fcntl.F_UNLCK, 0, 10), put('locked', 'yy')]"), "['locked', 2]")
    assert.equal(await two.ask("lock('locked', fcntl.F_WRLCK, 0, 5)"), 'locked')
    for (const puppet of [one, two]) assert.deepEqual((await puppet.end()).stderr, '')
  })

  test('a lock that another host took meanwhile is lost: EIO, and its event', async () => {
    await using one = await Puppet.start(lab)
    await using two = await Puppet.start(lab, { client: 'client2' })
    await one.ask("[op('taken', RW|C), op('other', RW|C), lock('taken', fcntl.F_WRLCK, 0, 10)]")
    await closed()
    assert.equal(await two.ask("[op('taken', RW), lock('taken', fcntl.F_WRLCK, 3, 1)]"), "['open', 'locked']")
    assert.equal(await one.ask("[put('other', 'x'), 'fine'][1]"), 'fine')
    assert.equal(await one.ask("get('taken')"), 'EIO')
    assert.equal(await one.ask("lock('taken', fcntl.F_WRLCK, 20, 1)"), 'EIO')
    await two.ask("os.close(d['taken'])")
    assert.equal(await one.ask("[os.close(d['taken']), op('taken', RW), lock('taken', fcntl.F_WRLCK, 0, 10)][1:]"), "['open', 'locked']")
    const { stderr } = await one.end()
    assert.match(stderr, /^nbtrun: \/\/srv\/app\/taken is lost to those who have it open \(EIO\): .*lock.*\n$/i)
    await two.end()
  })

  test('fsync says once that what was written before the loss may be gone, and never again', async () => {
    await using puppet = await Puppet.start(lab)
    await puppet.ask("[op('synced', RW|C), put('synced', 'a'), os.fsync(d['synced'])]")
    await closed()
    assert.equal(await puppet.ask("os.fsync(d['synced'])"), 'None', 'all was flushed')
    await puppet.ask("put('synced', 'b')")
    await closed()
    assert.equal(await puppet.ask("get('synced')"), 'b')
    assert.equal(await puppet.ask("os.fsync(d['synced'])"), 'EIO')
    assert.equal(await puppet.ask("os.fsync(d['synced'])"), 'None')
    await puppet.ask("[put('synced', 'c'), d.update(two=os.open('synced', RW))]")
    await closed()
    assert.equal(await puppet.ask("os.fsync(d['two'])"), 'EIO', 'through whichever descriptor')
    assert.equal(await puppet.ask("os.fsync(d['synced'])"), 'None')
    await puppet.ask("write('left', 'x')")
    await closed()
    assert.equal(await puppet.ask("[op('left', RW), os.fsync(d['left'])]"), 'EIO', 'closed and opened again')
    await puppet.end()
  })

  test('--no-reconnect: it stays lost, and says so', async () => {
    await using puppet = await Puppet.start(lab, { options: ['--no-reconnect'] })
    await puppet.ask("[op('note', RW|C), put('note', 'x')]")
    await closed()
    assert.equal(await puppet.ask("read('note')"), 'EIO')
    const { stderr, receipt } = await puppet.end()
    assert.match(stderr, /^nbtrun: the connection to srv is lost: [^\n]*\n$/)
    assert.deepEqual([receipt.reconnects, receipt.end], [0, 'lost'])
  })

  test('--mapping none: the session that is held comes back by itself', async () => {
    const options = ['--mapping', 'none', '--grace', '0']
    const run = lab.spawn('client1', ['nbtrun', '--share', '//srv/app', '--auth-file', lab.authFile(), ...options, '--', '/bin/sh', '-c', 'read -r line'], {
      stdin: 'pipe',
    })
    await lab.server().untilSessions(1)
    const witness = new Witness(lab)
    await witness.look()
    await closed()
    await lab.server().untilSessions(1)
    await witness.look()
    run.stdin?.end('\n')
    assert.deepEqual([(await run).exitCode, (await run).stderr], [0, ''])
    assert.equal(await witness.neverTwo(), 2)
  })

  test('a share that the server took away (smbcontrol close-share) is connected anew', async () => {
    await using puppet = await Puppet.start(lab)
    await puppet.ask("write('note', 'there')")
    await lab.server().tool('smbcontrol', 'smbd', 'close-share', 'app')
    assert.equal(await puppet.ask("read('note')"), 'there')
    const { receipt } = await puppet.end()
    assert.equal(receipt.end, 'acknowledged')
    assert.ok(existsSync(disk('note')))
  })
})
