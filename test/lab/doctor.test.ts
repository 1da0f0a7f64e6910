import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import { WHO } from './cell.ts'
import { doctor, inState, only, row } from './doctor.ts'
import { type Lab, useLab } from './index.ts'
import { runs } from './journal.ts'
import { isMachineRoot } from './packages.ts'
import { noLab, noMapping, nothingLeft, nothingLeftHere, words } from './nbtrun.ts'

/** What must be as it should be. */
const HEALTHY: Readonly<Record<string, readonly string[]>> = {
  host: ['node', 'fuse', 'util-linux', 'namespaces', 'koffi', 'private', 'state', 'journal'],
  names: ['dns', 'address'],
  ports: ['tcp-445', 'tcp-139', 'udp-137', 'call'],
  server: ['dialects', 'signing', 'encryption', 'clock'],
  share: ['credentials', 'login', 'echo', 'shares', 'share', 'seat', 'space', 'write', 'read', 'case', 'teardown'],
}

describe('nbtrun doctor', { skip: noLab, timeout: 290_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const asAlice = (): string[] => ['--auth-file', lab.authFile()]

  for (const user of WHO)
    test(`a healthy server and share, as ${user}: nothing is found, and nothing is left`, { skip: noMapping }, async () => {
      const seen = await doctor(lab, ['//srv/app', ...asAlice()], { user })
      assert.deepEqual(seen.findings, [])
      const fine = inState(seen, 'ok')
      assert.deepEqual(
        Object.entries(HEALTHY).flatMap(([group, checks]) => checks.map(check => `${group}.${check}`).filter(check => !fine.includes(check))),
        [],
      )
      assert.deepEqual(row(seen, 'server.dialects').facts['offered'], ['2.0.2', '2.1', '3.0', '3.0.2', '3.1.1'])
      assert.deepEqual(row(seen, 'server.encryption').facts['ciphers'], ['AES-128-GCM', 'AES-256-GCM', 'AES-128-CCM', 'AES-256-CCM'])
      assert.deepEqual(row(seen, 'share.login').facts, { dialect: '3.1.1', signing: 'AES-GMAC', guest: false, anonymous: false })
      for (const check of ['share.write', 'share.read']) assert.ok(Number(row(seen, check).facts['bytes']) > 0, check)
      assert.deepEqual(readdirSync(lab.server().diskPath('app')), [])
      await nothingLeft(lab)
    })

  test('people get a table, its times, and one line in the end', { skip: noMapping }, async () => {
    const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', 'doctor', '//srv/readonly', ...asAlice()])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^This machine\n {2}ok {5}node /)
    assert.match(stdout, /^Finding \/\/srv\/readonly\n/m)
    assert.match(stdout, /^ {2}ok {5}login +[\d.]+ m?s {2}SMB 3\.1\.1, signed with AES-GMAC$/m)
    assert.match(stdout, /^ {2}note {3}write .* \[NOT_WRITABLE\]\n {9}cure: .*\n {2}- {6}read: there is no file to read$/m)
    assert.match(stdout, /\nnothing is wrong, after [\d.]+ m?s\n$/)
    await nothingLeft(lab)
  })

  test('this machine alone, without a network', { skip: noMapping }, async () => {
    const seen = await doctor(lab, [], { user: 'root' }, ['unshare', '--net'])
    assert.deepEqual([seen.target, seen.findings], [null, []])
    assert.ok(seen.rows.every(({ group }) => group === 'host'))
    nothingLeftHere(lab)
  })

  test('a wrong password is one finding, and nothing is tried behind it', async () => {
    const seen = await doctor(lab, ['//srv/app', '--user', 'alice', '--password-fd', '0'], { input: 'wrong\n' })
    assert.deepEqual(only(seen.findings, 'share'), ['share.login LOGON_FAILED'])
    assert.deepEqual(
      inState(seen, 'skipped').filter(name => name.startsWith('share.')),
      ['echo', 'shares', 'share', 'space', 'speed'].map(check => `share.${check}`),
    )
    await lab.server().untilSessions(0)
  })

  test('a share that does not exist: what there is instead', async () => {
    const seen = await doctor(lab, ['//srv/nothing', ...asAlice()])
    assert.deepEqual(only(seen.findings, 'share'), ['share.share SHARE_NOT_FOUND'])
    assert.match(row(seen, 'share.share').cure ?? '', /^it shares app, /)
    await lab.server().untilSessions(0)
  })

  test('no password and no terminal', async () => {
    const seen = await doctor(lab, ['srv', '--user', 'alice'])
    assert.deepEqual([seen.target, only(seen.findings, 'share')], ['//srv', ['share.credentials NO_PASSWORD']])
    assert.equal(row(seen, 'share.teardown').state, 'skipped')
  })

  test('a full share: who holds it is asked elsewhere', async () => {
    const holder = lab.spawn('client1', words(lab, ['sleep', '100'], { share: '//srv/cad', options: ['--mapping', 'none', '--grace', '0'] }))
    try {
      while (!(await lab.server().treeConnects()).some(({ share }) => share === 'cad')) assert.equal(holder.exitCode ?? null, null, 'the holder runs')
      const seen = await doctor(lab, ['//srv/cad', ...asAlice()])
      assert.deepEqual(only(seen.findings, 'share'), ['share.seat SHARE_FULL'])
      assert.match(row(seen, 'share.seat').cure ?? '', /nbtrun sessions \/\/srv\/cad/)
    } finally {
      holder.kill('SIGTERM')
      await holder
    }
    await lab.server().untilSessions(0)
  })

  test('a name that nobody knows', async () => {
    const seen = await doctor(lab, ['//nowhere/app', ...asAlice()])
    assert.deepEqual(only(seen.findings, 'names', 'ports', 'server', 'share'), ['names.address HOST_NOT_FOUND'])
    assert.equal(row(seen, 'ports.tcp').state, 'skipped')
  })

  test('a name by WINS; sources that are not asked say why', async () => {
    const seen = await doctor(lab, ['//srv', '--user', 'alice', '--wins', lab.server().address, '--name-order', 'wins,dns'])
    assert.deepEqual([row(seen, 'names.wins').state, row(seen, 'names.dns').state, row(seen, 'names.address').facts['by']], ['ok', 'ok', 'wins'])
    assert.equal(row(seen, 'names.bcast').state, 'skipped')
  })

  test('by its address, and port 445 is dead while 139 is not', async () => {
    const back = lab.mute('srv', 445)
    try {
      const seen = await doctor(lab, [`//${lab.server().address}/app`, ...asAlice()])
      assert.deepEqual(only(seen.findings, 'names', 'ports', 'server', 'share'), ['ports.tcp-445 PORT_445_CLOSED'])
      assert.deepEqual([row(seen, 'names.address').facts['by'], row(seen, 'ports.call').text], ['address', '*SMBSERVER<20> taken'])
      assert.equal(row(seen, 'share.login').state, 'ok')
    } finally {
      back()
    }
    await lab.server().untilSessions(0)
  })

  test('what a killed run left', { skip: noMapping }, async () => {
    const run = lab.spawn('client1', words(lab, ['sleep', '100'], { options: ['--mapping', 'none'] }), { user: 'root' })
    while ((await runs(lab, { user: 'root' })).every(({ sessions }) => sessions.length === 0)) assert.equal(run.exitCode ?? null, null, 'it runs')
    run.kill('SIGKILL')
    await run
    const seen = await doctor(lab, [], { user: 'root' })
    assert.deepEqual(seen.findings, ['host.journal DEAD_RUNS'])
    await lab.run('client1', ['nbtrun', 'reap'], { user: 'root' })
    for (const pid of lab.processes('client1')) process.kill(pid, 'SIGKILL')
    await lab.server().untilSessions(0)
  })

  const noConditions = noMapping || (!isMachineRoot() && 'needs root of the machine')

  /** As alice, on a client where root prepared something first. */
  function prepared(script: string): ReturnType<typeof doctor> {
    const { folder } = lab.host('client1')
    const env = { HOME: `${folder}/home/alice`, XDG_RUNTIME_DIR: `${folder}/run/alice`, TMPDIR: `${folder}/tmp/alice` }
    const asUser = `${script}; exec setpriv --reuid=alice --regid=alice --init-groups -- "$@"`
    return doctor(lab, [], { user: 'root', env }, ['unshare', '--mount', 'sh', '-c', asUser, 'sh'])
  }
  const withoutWine = (notes: readonly string[]): string[] => notes.filter(note => !note.includes('wine'))

  test('a machine without /dev/fuse', { skip: noConditions }, async () => {
    const hidden = 'mount -t tmpfs none /mnt; for d in null urandom; do touch /mnt/$d; mount --bind /dev/$d /mnt/$d; done; mount --rbind /mnt /dev; exec "$@"'
    const seen = await doctor(lab, [], { user: 'root' }, ['unshare', '--mount', 'sh', '-c', hidden, 'sh'])
    assert.deepEqual([seen.findings, inState(seen, 'skipped')], [['host.fuse FUSE_MISSING'], ['host.private', 'host.shared']])
    nothingLeftHere(lab)
  })

  test('a machine whose users have no fusermount3', { skip: noConditions }, async () => {
    const seen = await prepared('mount --bind /dev/null /usr/bin/fusermount3')
    assert.deepEqual([seen.findings, withoutWine(seen.notes)], [[], ['host.fusermount3 FUSERMOUNT3_MISSING', 'host.shared TOOLS_MISSING']])
    nothingLeftHere(lab)
  })

  test('a machine whose users have no namespaces, as AppArmor of Ubuntu keeps them: the cure names it', { skip: noConditions }, async () => {
    const refuses = String.raw`printf '#!/bin/sh\necho unshare: write failed /proc/self/uid_map: Operation not permitted >&2; exit 1\n' >/mnt/unshare`
    const setting = 'mount -t tmpfs none /proc/sys/kernel; echo 1 >/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
    const seen = await prepared(`mount -t tmpfs -o mode=755 none /mnt; ${refuses}; chmod 755 /mnt/unshare; export PATH=/mnt:$PATH; ${setting}`)
    assert.deepEqual(seen.findings, ['host.private NAMESPACES_DENIED'])
    assert.match(row(seen, 'host.private').cure ?? '', /kernel\.apparmor_restrict_unprivileged_userns=0/)
    assert.equal(row(seen, 'host.shared').facts['way'], 'c')
    nothingLeftHere(lab)
  })
})
