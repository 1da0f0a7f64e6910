import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Lab, type Outcome, useLab } from './index.ts'
import { here, noLab, nothingLeft, nothingLeftHere, script } from './nbtrun.ts'

describe('a profile', { skip: noLab }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
    script(lab, 'app', 'echo "ran $*"; exit "$1"')
  })
  after(() => nothingLeft(lab))

  /** nbtrun where /etc/nbtrun/config.toml says `system`, in a mount namespace whose /etc has what names need, and that. */
  function withSystem(system: string, ...words: string[]): Promise<Outcome> {
    const etc = here(lab, 'etc')
    mkdirSync(join(etc, 'nbtrun'), { recursive: true })
    writeFileSync(join(etc, 'nbtrun/config.toml'), system)
    const before = `cd /etc && for f in passwd group hosts nsswitch.conf resolv.conf machine-id ld.so.cache; do [ ! -e $f ] || cp $f '${etc}'; done`
    return lab.run('client1', ['unshare', '--mount', 'sh', '-c', `${before} && mount --bind '${etc}' /etc && exec "$@"`, 'sh', 'nbtrun', ...words])
  }

  function profile(text: string): Record<string, string> {
    const file = here(lab, 'config/nbtrun/pay.toml')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return { XDG_CONFIG_HOME: here(lab, 'config') }
  }

  test('is all that a run needs', async () => {
    const env = profile(`share = "//srv/app"\nauth-file = "${lab.authFile()}"\nprogram = ["{mount}/app", "7", "a b"]\n`)
    const { code, stdout, stderr } = await lab.run('client1', ['nbtrun', '--profile', 'pay'], { env })
    assert.deepEqual([code, stdout, stderr], [7, 'ran 7 a b\n', ''])
    await nothingLeft(lab)
  })

  test('with a mistake takes nothing, and says where it is', async () => {
    const env = profile('share = "//srv/app"\n\nencrpyt = true\n')
    const { code, stderr } = await lab.run('client1', ['nbtrun', '--profile', 'pay', 'true'], { env })
    assert.deepEqual(
      [code, stderr],
      [125, `nbtrun: ${join(env['XDG_CONFIG_HOME'] ?? '', 'nbtrun/pay.toml')}:3: encrpyt is no option; did you mean encrypt? [USAGE]\n`],
    )
    nothingLeftHere(lab)
  })

  test('of the system counts for every run, and what it locks cannot be changed', async () => {
    const login = ['--share', '//srv/app', '--auth-file', lab.authFile()]
    const system = 'grace = 0.1\n[locked]\nencrypt = true\nread-only = true\n'
    const receipt = here(lab, 'locked.json')
    const ran = await withSystem(system, ...login, '--receipt', receipt, '--', 'sh', '-c', 'touch "$NBTRUN_MOUNT/new" 2>/dev/null; echo $?; cat')
    assert.deepEqual([ran.code, ran.stdout], [0, '1\n'], ran.stderr)
    const written = await lab.run('client1', ['cat', receipt])
    const { shares, graceMs } = JSON.parse(written.stdout) as { shares: { encryption: string | null }[]; graceMs: number }
    assert.ok(shares[0]?.encryption !== null)
    assert.ok(graceMs >= 100)
    const { code, stderr } = await withSystem('[locked]\nsigning = "required"\n', ...login, '--signing', 'auto', 'true')
    assert.equal(code, 125)
    assert.match(stderr, /^nbtrun: --signing cannot be changed here: \/etc\/nbtrun\/config\.toml:2: signing is locked; [^\n]*\n$/)
    await nothingLeft(lab)
  })
})
