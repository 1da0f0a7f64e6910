import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Lab, missing, type Outcome, setUpWine, useLab } from './index.ts'
import { here, noLab, nothingLeft, script } from './nbtrun.ts'
import { isMachineRoot } from './packages.ts'

/** What `nbtrun script` writes, run on a client by what it is for, against the real server. */
describe('a script from a template', { skip: noLab }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
    script(lab, "it's $5% & more", 'printf "%s\\n" "$@" >"$NBTRUN_MOUNT/ran"; exit "${1:-0}"')
  })
  after(() => nothingLeft(lab))

  /** Has the template written for a program on //srv/app that notes its words there; returns the file. */
  async function written(template: string, name: string, ...words: string[]): Promise<string> {
    const file = here(lab, name)
    const options = ['--share', '//srv/app', '--auth-file', lab.authFile()]
    const line = ['nbtrun', 'script', template, '--out', file, '--force', ...options, '--', "{mount}/it's $5% & more", ...words]
    const { code, stderr } = await run(line)
    assert.deepEqual([code, stderr], [0, ''])
    return file
  }
  const run = (argv: readonly string[], env: Record<string, string> = {}): Promise<Outcome> => lab.run('client1', argv, { env })
  const ran = (): string => readFileSync(join(lab.server().diskPath('app'), 'ran'), 'utf8')

  for (const shell of ['sh', 'bash', 'dash'])
    test(`login.sh runs the program on the share, read by ${shell}`, async () => {
      const { code, stderr } = await run([shell, await written('login', 'login.sh', '3', 'a b%')])
      assert.deepEqual([code, stderr, ran()], [3, '', '3\na b%\n'])
      await nothingLeft(lab)
    })

  test('metered-launcher.sh runs the program with the words it was given', async () => {
    const { code, stderr } = await run(['sh', await written('metered-launcher', 'launcher.sh', '4'), '$x', 'y z'])
    assert.deepEqual([code, stderr, ran()], [4, '', '4\n$x\ny z\n'])
    await nothingLeft(lab)
  })

  test('metered-launcher.sh waits for a seat, takes it when it is free, and says when there is none in time', async () => {
    const holder = lab.spawn('client1', ['nbtrun', '--share', '//srv/cad', '--auth-file', lab.authFile(), '--', 'sh', '-c', 'echo held; read -r line'])
    for await (const chunk of holder.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('held')) break
    const launcher = async (wait: string): Promise<string> => {
      const file = here(lab, `cad-${wait}.sh`)
      const options = ['--share', '//srv/cad', '--auth-file', lab.authFile(), '--wait', wait]
      assert.equal((await run(['nbtrun', 'script', 'metered-launcher', '--out', file, ...options, '--', 'true'])).code, 0)
      return file
    }
    const { code, stderr } = await run(['sh', await launcher('200ms')])
    assert.equal(code, 75)
    assert.match(stderr, /^nbtrun: [^\n]*\/\/srv\/cad[^\n]*\nAll seats are taken\. Please try again when a colleague has closed the program\.\n$/)
    const waiting = run(['sh', await launcher('50s')])
    holder.stdin?.end('\n')
    assert.equal((await waiting).code, 0)
    await holder
    await nothingLeft(lab)
  })

  test('launcher.desktop runs the program, started by GLib', { skip: missing('desktop') }, async () => {
    const file = await written('desktop', 'launcher.desktop', '0', '%F $HOME')
    const { stdout } = await run(['sh', '-c', '{ gio launch "$0" 2>&1 || echo failed; } | cat', file])
    assert.deepEqual([stdout, ran()], ['', '0\n%F $HOME\n'])
    await nothingLeft(lab)
  })

  test('program.service runs the program, started by systemd', { skip: missing('systemd') || (!isMachineRoot() && 'needs root') }, async () => {
    const file = await written('systemd', 'program.service', '7', '%h $HOME')
    const config = here(lab, 'config'),
      units = join(config, 'systemd/user')
    mkdirSync(join(units, 'program.service.d'), { recursive: true })
    writeFileSync(join(units, 'program.service'), readFileSync(file))
    const { stdout: path } = await run(['printenv', 'PATH'])
    writeFileSync(join(units, 'program.service.d/test.conf'), `[Unit]\nSuccessAction=exit\nFailureAction=exit\n[Service]\nEnvironment="PATH=${path.trim()}"\n`)
    const manager = `mkdir -p /run/systemd && mount -t tmpfs x /run/systemd && mkdir -p /run/systemd/system && exec systemd --user --unit=program.service`
    const { code, stderr } = await run(['unshare', '--mount', 'sh', '-c', manager], {
      XDG_CONFIG_HOME: config,
      XDG_RUNTIME_DIR: here(lab, 'runtime'),
      SYSTEMD_LOG_TARGET: 'console',
    })
    assert.deepEqual([code, ran()], [7, '7\n%h $HOME\n'], stderr)
    await nothingLeft(lab)
  })

  test('run.yml runs the program, by Ansible', { skip: missing('ansible') }, async () => {
    const file = await written('ansible', 'run.yml', '0', '{{ x }} $HOME')
    const { code, stdout } = await run(['ansible-playbook', '-i', 'localhost,', '-c', 'local', file], {
      ANSIBLE_LOCAL_TEMP: here(lab, 'ansible'),
      ANSIBLE_REMOTE_TEMP: here(lab, 'ansible-remote'), // else in the home of the user database, which is the machine's root's
    })
    assert.deepEqual([code, ran()], [0, '0\n{{ x }} $HOME\n'], stdout)
    await nothingLeft(lab)
  })

  test('a batch file is imported, and what comes out runs its program, with the password in a file', { skip: missing('wine') }, async () => {
    const batch = here(lab, 'old.bat')
    const lines = [
      '@echo off',
      `net use P: \\\\srv\\app ${lab.password()} /user:alice`,
      'P:',
      "start /wait it's$5%% /x P:\\ran",
      'ping -n 1 x',
      'net use P: /d',
    ]
    script(lab, "it's$5%.exe", 'pwd >"$NBTRUN_MOUNT/ran"; printf "%s\\n" "$@" >>"$NBTRUN_MOUNT/ran"; exit 5')
    writeFileSync(batch, `${lines.join('\r\n')}\r\n`)
    const wine = await setUpWine(here(lab, 'prefix'))
    for (const part of ['line', 'script']) {
      const { code, stdout, stderr } = await run(['nbtrun', 'import', batch, '--print', part, '--force'])
      assert.equal(code, 0, stderr)
      assert.ok(!(stdout + stderr).includes(lab.password()))
      const ended = await run(['sh', '-c', stdout], wine)
      assert.equal(ended.code, 5, ended.stderr)
      const [folder = '', ...words] = ran().trim().split('\n')
      assert.match(folder, /nbtrun/)
      assert.match(words.join(' '), /^\/x [E-Y]:\\ran$/)
      await nothingLeft(lab)
    }
  })
})
