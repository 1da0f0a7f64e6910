import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { render, TEMPLATES, type TemplateName } from '../../../src/profile/templates.ts'
import { isMachineRoot } from '../../lab/packages.ts'
import { missing } from '../../lab/missing.ts'
import { HOSTILE, PERCENT, randomWords } from './hostile.ts'

// Each template is read by the program that it is for, with an nbtrun in its PATH that records what it was given.

const folder = mkdtempSync(join(tmpdir(), 'nbtrun-readers-'))
after(() => rmSync(folder, { recursive: true }))
const bin = join(folder, 'bin'),
  record = join(folder, 'record'),
  told = join(folder, 'told')
const env = {
  PATH: `${bin}:/usr/bin:/bin`,
  HOME: folder,
  RECORD: record,
  TOLD: told,
  LANG: 'C.UTF-8',
  ANSIBLE_REMOTE_TEMP: join(folder, 'ansible'), // else in the home of the user database, which the root of a user namespace cannot write to
}
const SEED = 231_795
const WORDS = [...HOSTILE, ...PERCENT, ...randomWords(SEED, 200)]
const OPTIONS = ['--share', "//srv/it's $HOME 5% & more", '--auth-file', 'a b']

mkdirSync(bin)
tool('notify-send', 'printf "%s\\n" "$@" >"$TOLD"')
beforeEach(() => {
  for (const file of [record, told]) rmSync(file, { force: true })
})

function tool(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
  chmodSync(join(bin, name), 0o755)
}

/** The nbtrun of the scripts: records its words, each behind a 0 byte, says `says` and ends with a code. */
const stub = (exit: number, says = ''): void =>
  tool('nbtrun', `printf '%s\\0' "$@" >"$RECORD"\n${says === '' ? '' : `echo 'nbtrun: ${says}' >&2`}\nexit ${exit}`)

function rendered(name: TemplateName): string {
  const text = readFileSync(new URL(`../../../templates/${TEMPLATES[name].file}`, import.meta.url), 'utf8')
  const file = join(folder, TEMPLATES[name].file)
  writeFileSync(file, render(name, text, OPTIONS, WORDS))
  return file
}

function run(argv: readonly [string, ...string[]]): { status: number | null; out: string } {
  const [program, ...words] = argv
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: folder, encoding: 'utf8', env, timeout: 60_000 })
  return { status, out: stdout + stderr }
}

function assertRecorded(out: string): void {
  assert.ok(existsSync(record), out)
  const wanted = [...OPTIONS, '--', ...WORDS]
  const words = readFileSync(record, 'utf8').split('\0').slice(0, -1)
  for (const [at, word] of wanted.entries()) assert.equal(words[at], word, `word ${at}, seed ${SEED}`)
  assert.equal(words.length, wanted.length)
  assert.ok(!existsSync(join(folder, 'pwned')))
}

for (const shell of ['sh', 'dash', 'bash', 'zsh'] as const)
  test(`login.sh hands hostile and random words on unharmed, read by ${shell}`, { skip: shell === 'zsh' && missing('zsh') }, t => {
    if (spawnSync(shell, ['-c', ':']).status !== 0) return t.skip(`there is no ${shell}`)
    stub(3)
    const { status, out } = run([shell, rendered('login')])
    assert.equal(status, 3, out)
    assertRecorded(out)
  })

test('launcher.desktop is valid, and its words are unharmed, read by GLib', { skip: missing('desktop') }, () => {
  stub(0)
  const file = rendered('desktop')
  assert.deepEqual(run(['desktop-file-validate', file]), { status: 0, out: '' })
  const { status, out } = launch(file)
  assert.equal(status, 0, out)
  assertRecorded(out)
  assert.ok(!existsSync(told), 'who has a seat is told nothing')
})

test('launcher.desktop tells the user what nbtrun said, and that all seats are taken', { skip: missing('desktop') }, () => {
  const file = rendered('desktop')
  for (const [exit, says, shown] of [
    [75, '//srv/cad is full (71); add --wait 10m to queue', 'All seats are taken. Please try again when a colleague has closed the program.'],
    [125, 'no password for alice on srv; use it [NO_PASSWORD]', 'nbtrun: no password for alice on srv; use it [NO_PASSWORD]'],
  ] as const) {
    stub(exit, says)
    const { out } = launch(file)
    assert.ok(existsSync(told), out)
    assert.equal(readFileSync(told, 'utf8'), `--\nCAD\n${shown}\n`)
  }
})

/** GLib reads the file and starts what Exec says; a cat at the end of a pipe waits for that, for GLib does not. */
function launch(file: string): { status: number | null; out: string } {
  return run(['sh', '-c', '{ gio launch "$0" 2>&1 || echo failed; } | cat', file])
}

test('program.service is valid, and its words are unharmed, read by systemd', { skip: missing('systemd') || (!isMachineRoot() && 'needs root') }, () => {
  stub(3)
  const file = rendered('systemd')
  const { status, out } = asUserManager(`systemd-analyze --user verify '${file}' && exec systemd --user --unit=program.service`)
  assert.equal(status, 3, out)
  assertRecorded(out)
})

test('program.service is started anew while the share is full, and for no other reason', {
  skip: missing('systemd') || (!isMachineRoot() && 'needs root'),
}, () => {
  rendered('systemd')
  tool('nbtrun', `echo once >>"$TOLD"\n[ "$(wc -l <"$TOLD")" -lt 3 ] && exit 75\nexit 3`)
  const { status, out } = asUserManager('exec systemd --user --unit=program.service', 'OnFailure=exit.target\n[Service]\nRestartSec=0\n')
  assert.equal(status, 0, out)
  assert.equal(readFileSync(told, 'utf8'), 'once\nonce\nonce\n')
})

/** A service manager of its own in a mount namespace; it ends when the unit does, with its code. */
function asUserManager(work: string, unit = 'SuccessAction=exit\nFailureAction=exit\n'): ReturnType<typeof run> {
  const units = join(folder, '.config/systemd/user')
  mkdirSync(join(units, 'program.service.d'), { recursive: true })
  mkdirSync(join(folder, 'run'), { recursive: true })
  writeFileSync(join(units, 'program.service'), readFileSync(join(folder, 'program.service')))
  writeFileSync(join(units, 'program.service.d/test.conf'), `[Unit]\nStartLimitIntervalSec=0\n${unit}[Service]\nEnvironment=PATH=${env.PATH}\n`)
  const before = `mount -t tmpfs x /run && mkdir -p /run/systemd/system && export XDG_RUNTIME_DIR='${folder}/run' SYSTEMD_LOG_TARGET=console`
  return run(['unshare', '--mount', 'sh', '-c', `${before} && ${work}`])
}

test('run.yml is valid, and its words are unharmed, read by Ansible', { skip: missing('ansible') }, () => {
  stub(0)
  const file = rendered('ansible')
  const check = run(['ansible-playbook', '-i', 'localhost,', '--syntax-check', file])
  assert.equal(check.status, 0, check.out)
  const { status, out } = run(['ansible-playbook', '-i', 'localhost,', '-c', 'local', file])
  assert.equal(status, 0, out)
  assertRecorded(out)
})

test('run.yml fails with the program, at once', { skip: missing('ansible') }, () => {
  stub(3)
  const { status, out } = run(['ansible-playbook', '-i', 'localhost,', '-c', 'local', rendered('ansible')])
  assert.notEqual(status, 0)
  assert.match(out, /"rc": 3/)
})
