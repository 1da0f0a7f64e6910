import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Lab, missing, useLab } from './index.ts'
import { nbtrun, nbtrunReceipt, noLab, nothingLeft, script } from './nbtrun.ts'
import { makeExe, wineEnv } from './windows.ts'

describe('a program on the share', { skip: noLab }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  after(() => nothingLeft(lab))

  const WORDS = ['a', 'b c', '', '*', '007', '1e3', '0x10', '--', '--share']
  for (const bare of [false, true]) {
    test(`gets its arguments byte for byte${bare ? ' without -- before it' : ''}`, async () => {
      script(lab, 'words', `printf '%s\\n' "$#" "$@"`)
      const { stdout, code, stderr } = await nbtrun(lab, ['{mount}/words', ...WORDS], { bare })
      assert.deepEqual([stdout.split('\n').slice(0, -1), code, stderr], [[`${WORDS.length}`, ...WORDS], 0, ''])
    })
  }

  test('reads stdin and the descriptors it was given', async () => {
    script(lab, 'reads', 'cat; cat <&7')
    const file = join(lab.host('client1').folder, 'tmp', 'root', 'seven')
    writeFileSync(file, 'seven\n')
    const fd = openSync(file, 'r')
    try {
      const stdio = ['pipe', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', fd] as const
      const { stdout, stderr } = await nbtrun(lab, ['{mount}/reads'], { input: 'stdin\n', stdio: [...stdio] })
      assert.deepEqual([stdout, stderr], ['stdin\nseven\n', ''])
    } finally {
      closeSync(fd)
    }
  })

  test('is given no descriptor of nbtrun’s own', async () => {
    const list = ['/bin/ls', '/proc/self/fd']
    assert.equal((await nbtrun(lab, list)).stdout, (await lab.run('client1', list)).stdout)
  })

  test('lends nbtrun its exit code', async () => {
    script(lab, 'seven', 'exit 7')
    assert.equal((await nbtrun(lab, ['{mount}/seven'])).code, 7)
  })

  test('that dies of SIGSEGV gives 139', async () => {
    script(lab, 'crash', 'kill -SEGV $$')
    const { code, receipt } = await nbtrunReceipt(lab, ['{mount}/crash'])
    assert.equal(code, 139)
    assert.equal(receipt.program?.signal, 'SIGSEGV')
  })

  test('that is not there gives 127 and one line', async () => {
    for (const program of ['{mount}/nothing', '/nowhere/nothing', 'no-such-program-anywhere']) {
      const { code, stderr } = await nbtrun(lab, [program])
      assert.equal(code, 127, program)
      assert.match(stderr, /^nbtrun: there is no program [^\n]*\n$/)
    }
  })

  test('that cannot be executed gives 126 and one line', async () => {
    script(lab, 'folder/file', '')
    writeFileSync(join(lab.server().diskPath('app'), 'text'), 'just text\n')
    for (const program of ['{mount}/folder', '{mount}/text']) {
      const { code, stderr } = await nbtrun(lab, [program])
      assert.equal(code, 126, program)
      assert.match(stderr, /^nbtrun: [^\n]+\n$/)
    }
  })

  test('whose first bytes are MZ gives 126 without wine, and no shell runs it', async () => {
    const proof = join(lab.host('client1').folder, 'tmp', 'root', 'shell-ran')
    writeFileSync(join(lab.server().diskPath('app'), 'app.exe'), `MZ\n: > '${proof}'\n`, { mode: 0o777 })
    const { code, stderr } = await nbtrun(lab, ['{mount}/app.exe'], { env: { PATH: await toolsWithoutWine(lab) } })
    assert.equal(code, 126)
    assert.match(stderr, /^nbtrun: .*app\.exe is a Windows program and wine is not installed; apt install wine/)
    assert.throws(() => readFileSync(proof), { code: 'ENOENT' })
  })

  test('for Windows is run by wine, with its exit code', { skip: missing('wine') || missing('mingw'), timeout: 60_000 }, async () => {
    await makeExe(join(lab.server().diskPath('app'), 'hello.exe'))
    const prefix = join(lab.host('client1').folder, 'tmp', 'root', 'prefix')
    const { code, stdout, stderr } = await nbtrun(lab, ['{mount}/hello.exe', 'a b', '/exit:42'], { env: wineEnv(prefix) })
    assert.equal(code, 42, stderr)
    assert.match(stdout, /a b/)
  })

  test('with a bare name that is in both places is refused until it is said which', async () => {
    script(lab, 'uptime', 'echo from the share')
    const both = await nbtrun(lab, ['uptime'])
    assert.equal(both.code, 125)
    assert.match(both.stderr, /^nbtrun: .*\/usr\/bin\/uptime.*--program-from share or --program-from path [^\n]*\n$/)
    assert.equal((await nbtrun(lab, ['uptime'], { options: ['--program-from', 'share'] })).stdout, 'from the share\n')
    assert.match((await nbtrun(lab, ['uptime'], { options: ['--program-from', 'path'] })).stdout, /load average/)
  })

  test('with a bare name that only the share has is found there', async () => {
    script(lab, 'only-here', 'pwd; echo "$NBTRUN_SHARE"')
    const { stdout, receipt } = await nbtrunReceipt(lab, ['only-here'], { cwd: '/usr' })
    assert.equal(stdout, '/usr\n//srv/app\n')
    assert.equal(receipt.program?.from, 'share')
  })

  test('can be nbtrun itself', async () => {
    script(lab, 'inner', 'cat "$NBTRUN_MOUNT/inner" >/dev/null && echo inner of "$NBTRUN_SHARE"')
    const inner = ['nbtrun', '--share', '//srv2/files', '--auth-file', lab.authFile(), '--', '{mount}/inner']
    script(lab, 'inner', 'echo inner of "$NBTRUN_SHARE"')
    writeFileSync(join(lab.server('srv2').diskPath('files'), 'inner'), '#!/bin/sh\necho inner of "$NBTRUN_SHARE"\n', { mode: 0o777 })
    const { stdout, stderr, code } = await nbtrun(lab, inner, { options: ['--no-expand'] })
    assert.deepEqual([stdout, stderr, code], ['inner of //srv2/files\n', '', 0])
  })

  test('finds no secret in its words, its environment or nbtrun’s', async () => {
    script(lab, 'spy', 'cat /proc/$PPID/cmdline /proc/$PPID/environ /proc/self/environ /proc/self/cmdline')
    const { stdout, receipt } = await nbtrunReceipt(lab, ['{mount}/spy'], { options: ['-v'], env: { NBTRUN_OPT_GRACE: '0' } })
    assert.ok(stdout.includes('nbtrun'))
    assert.ok(!stdout.includes(lab.password()))
    assert.ok(!stdout.split('NBTRUN_RUN_ID')[1]!.includes('NBTRUN_OPT_'), 'options stay out of the program’s environment')
    assert.ok(!JSON.stringify(receipt).includes(lab.password()))
  })
})

/** A PATH with everything but wine. */
async function toolsWithoutWine(lab: Lab): Promise<string> {
  const folder = join(lab.host('client1').folder, 'tmp', 'root', 'tools')
  const own = `${lab.host('client1').folder}/bin`
  await lab.run('client1', [
    'sh',
    '-c',
    `mkdir -p ${folder}; for t in /usr/bin/* /bin/* /usr/sbin/* /sbin/*; do case $t in *wine*) ;; *) ln -sf "$t" ${folder}/ ;; esac; done`,
  ])
  return `${own}:${folder}`
}
