import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WHO, wayOf } from './cell.ts'
import { type Lab, useLab, type User } from './index.ts'
import { here, nbtrun, nbtrunReceipt, noMapping, nothingLeft, script } from './nbtrun.ts'

describe('the private mapping', { skip: noMapping }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  for (const user of WHO) {
    const way = wayOf(user)
    describe(`of ${user}`, () => {
      test('is the program’s alone: empty from outside, in nobody else’s mountinfo', {
        skip: way === 'c' && 'this way shows it to all of the user’s programs',
      }, async () => {
        const point = folderOf(lab, user, `point-${way}`)
        script(lab, 'look', 'ls "$1"; echo ready; read -r line; exit 0')
        const run = lab.spawn('client1', ['nbtrun', '--share', `//srv/app=${point}`, '--auth-file', lab.authFile(), '--', '{mount}/look', '{mount}'], { user })
        let shown = ''
        for await (const chunk of run.stdout as AsyncIterable<Buffer>) if ((shown += String(chunk)).includes('ready')) break
        assert.match(shown, /^look$/m)
        assert.deepEqual(readdirSync(point), [])
        const program = lab.processes('client1').filter(pid => words(pid).startsWith('/bin/sh'))
        assert.ok(program.length > 0)
        for (const pid of allPids()) assert.equal(mountinfo(pid).includes(point), program.includes(pid), `${pid}: ${words(pid)}`)
        run.stdin?.end('\n')
        await run
      })

      test('keeps uid, gid and groups, gives no capability, and says which way it took', async () => {
        script(lab, 'who', 'id -u; id -g; id -G; grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status')
        const call = { user }
        const outside = await lab.run('client1', ['sh', '-c', 'id -u; id -g; id -G'], call)
        const { stdout, receipt, stderr } = await nbtrunReceipt(lab, ['{mount}/who'], call)
        assert.equal(stderr, '')
        assert.ok(stdout.startsWith(outside.stdout), stdout)
        if (user !== 'root') assert.deepEqual(stdout.match(/0000000000000000$/gm)?.length, 4)
        assert.equal(receipt.shares[0]?.way, way)
      })

      test('is at a folder of its own when none is named, which is gone afterwards', async () => {
        const { stdout } = await nbtrun(lab, ['/bin/sh', '-c', 'echo "$NBTRUN_MOUNT"; stat -c %u,%a "$NBTRUN_MOUNT"'], { user })
        const [point = ''] = stdout.split('\n')
        assert.ok(point.startsWith(join(lab.host('client1').folder, 'run', user, 'nbtrun')), point)
      })

      test('shows several shares, also of two servers, with one session each', async () => {
        script(lab, 'count', 'ls')
        const options = ['--share', '//srv2/files', '--share', '//srv/readonly']
        const program = ['/bin/sh', '-c', 'echo ready; read -r line']
        const run = lab.spawn('client1', ['nbtrun', '--share', '//srv/app', '--auth-file', lab.authFile(), ...options, '--', ...program], { user })
        for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
        const trees = async (server: string): Promise<string[]> => (await lab.server(server).treeConnects()).map(t => t.share).sort()
        for (const server of ['srv', 'srv2']) await lab.server(server).untilSessions(1)
        assert.deepEqual(
          [await trees('srv'), await trees('srv2')],
          [
            ['IPC$', 'app', 'readonly'],
            ['IPC$', 'files'],
          ],
        )
        run.stdin?.end('\n')
        assert.equal((await run).exitCode, 0)
      })
    })
  }

  test('does not open for writing what is to be read only', async () => {
    script(lab, 'there', '')
    const { stdout } = await nbtrun(lab, ['/bin/sh', '-c', 'cd "$NBTRUN_MOUNT" && touch new; echo x >> there; rm there; ls'], { options: ['--read-only'] })
    assert.match(stdout, /^there$/m)
    assert.ok(readdirSync(lab.server().diskPath('app')).includes('there'))
    assert.ok(!readdirSync(lab.server().diskPath('app')).includes('new'))
  })

  test('with --mapping none holds session, share and IPC$ while a local program and its daemon run', async () => {
    const trees = ['/bin/sh', '-c', 'echo ready; setsid sh -c "sleep 0.5; :" >/dev/null 2>&1 & read -r line']
    const run = lab.spawn('client1', ['nbtrun', '--share', '//srv/app', '--mapping', 'none', '--grace', '0', '--auth-file', lab.authFile(), '--', ...trees])
    for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    assert.deepEqual((await lab.server().treeConnects()).map(t => t.share).sort(), ['IPC$', 'app'])
    run.stdin?.end('\n')
    assert.equal((await run).exitCode, 0)
  })
})

function folderOf(lab: Lab, user: User | 'root', name: string): string {
  const folder = here(lab, name, { user })
  mkdirSync(folder, { recursive: true, mode: 0o777 })
  return folder
}

const allPids = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger)

function words(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function mountinfo(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'latin1')
  } catch {
    return ''
  }
}
