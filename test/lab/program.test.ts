import assert from 'node:assert/strict'
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { cell, wireOptions } from './cell.ts'
import { type Lab, makeExe, missing, type Outcome, setUpWine, useLab } from './index.ts'
import { type Call, here, nbtrun, nbtrunReceipt, noLab, nothingLeft, script, type WithReceipt } from './nbtrun.ts'
import { untilGone } from './watch.ts'

for (const bare of [false, true])
  describe(`a program on the share${bare ? ', without -- before it' : ''}`, { skip: noLab }, () => {
    let lab: Lab
    before(async () => {
      lab = await useLab()
    })
    after(() => nothingLeft(lab))
    const go = (program: readonly string[], call: Call = {}): Promise<Outcome> => nbtrun(lab, program, { bare, ...call })
    const goReceipt = (program: readonly string[], call: Call = {}): Promise<WithReceipt> => nbtrunReceipt(lab, program, { bare, ...call })

    const WORDS = ['a', 'b c', '', '*', '007', '1e3', '0x10', '--', '--share']
    test('gets its arguments byte for byte', async () => {
      script(lab, 'words', `printf '%s\\n' "$#" "$@"`)
      const { stdout, code, stderr } = await go(['{mount}/words', ...WORDS])
      assert.deepEqual([stdout.split('\n').slice(0, -1), code, stderr], [[`${WORDS.length}`, ...WORDS], 0, ''])
    })

    test('reads stdin and the descriptors it was given', async () => {
      script(lab, 'reads', 'cat; cat <&7')
      const file = here(lab, 'seven')
      writeFileSync(file, 'seven\n')
      const fd = openSync(file, 'r')
      try {
        const stdio = ['pipe', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', fd] as const
        const { stdout, stderr } = await go(['{mount}/reads'], { input: 'stdin\n', stdio: [...stdio] })
        assert.deepEqual([stdout, stderr], ['stdin\nseven\n', ''])
      } finally {
        closeSync(fd)
      }
    })

    test('is given no descriptor of nbtrun’s own', async () => {
      const list = ['/bin/ls', '/proc/self/fd']
      assert.equal((await go(list)).stdout, (await lab.run('client1', list)).stdout)
    })

    test('lends nbtrun its exit code', async () => {
      script(lab, 'seven', 'exit 7')
      assert.equal((await go(['{mount}/seven'])).code, 7)
    })

    test('that dies of SIGSEGV gives 139', async () => {
      script(lab, 'crash', 'kill -SEGV $$')
      const { code, receipt } = await goReceipt(['{mount}/crash'])
      assert.equal(code, 139)
      assert.equal(receipt.program?.signal, 'SIGSEGV')
    })

    test('that is not there gives 127 and one line', async () => {
      for (const program of ['{mount}/nothing', '/nowhere/nothing', 'no-such-program-anywhere']) {
        const { code, stderr } = await go([program])
        assert.equal(code, 127, program)
        assert.match(stderr, /^nbtrun: there is no program [^\n]*\n$/)
      }
    })

    test('that cannot be executed gives 126 and one line', async () => {
      script(lab, 'folder/file', '')
      writeFileSync(join(lab.server().diskPath('app'), 'text'), 'just text\n')
      for (const program of ['{mount}/folder', '{mount}/text']) {
        const { code, stderr } = await go([program])
        assert.equal(code, 126, program)
        assert.match(stderr, /^nbtrun: [^\n]+\n$/)
      }
    })

    test('whose first bytes are MZ gives 126 without wine, and no shell runs it', async () => {
      const proof = here(lab, 'shell-ran')
      writeFileSync(join(lab.server().diskPath('app'), 'app.exe'), `MZ\n: > '${proof}'\n`, { mode: 0o777 })
      const { code, stderr } = await go(['{mount}/app.exe'], { env: { PATH: await toolsWithoutWine(lab) } })
      assert.equal(code, 126)
      assert.match(stderr, /^nbtrun: .*app\.exe is a Windows program and wine is not installed; apt install wine/)
      assert.throws(() => readFileSync(proof), { code: 'ENOENT' })
    })

    test('with a bare name that is in both places is refused until it is said which', async () => {
      script(lab, 'uptime', 'echo from the share')
      const both = await go(['uptime'])
      assert.equal(both.code, 125)
      assert.match(both.stderr, /^nbtrun: .*\/usr\/bin\/uptime.*--program-from share or --program-from path [^\n]*\n$/)
      assert.equal((await go(['uptime'], { options: ['--program-from', 'share'] })).stdout, 'from the share\n')
      assert.match((await go(['uptime'], { options: ['--program-from', 'path'] })).stdout, /load average/)
    })

    test('with a bare name that only the share has is found there', async () => {
      script(lab, 'only-here', 'pwd; echo "$NBTRUN_SHARE"')
      const { stdout, receipt } = await goReceipt(['only-here'], { cwd: '/usr' })
      assert.equal(stdout, '/usr\n//srv/app\n')
      assert.equal(receipt.program?.from, 'share')
    })

    test('can be nbtrun itself', async () => {
      script(lab, 'inner', 'cat "$NBTRUN_MOUNT/inner" >/dev/null && echo inner of "$NBTRUN_SHARE"')
      const inner = ['nbtrun', '--share', '//srv2/files', '--auth-file', lab.authFile(), ...wireOptions, '--', '{mount}/inner']
      script(lab, 'inner', 'echo inner of "$NBTRUN_SHARE"')
      writeFileSync(join(lab.server('srv2').diskPath('files'), 'inner'), '#!/bin/sh\necho inner of "$NBTRUN_SHARE"\n', { mode: 0o777 })
      const { stdout, stderr, code } = await go(inner, { options: ['--no-expand'] })
      assert.deepEqual([stdout, stderr, code], ['inner of //srv2/files\n', '', 0])
    })

    test('finds no secret in its words, its environment or nbtrun’s', async () => {
      script(lab, 'spy', 'cat /proc/$PPID/cmdline /proc/$PPID/environ /proc/self/environ /proc/self/cmdline')
      const { stdout, receipt } = await goReceipt(['{mount}/spy'], { options: ['-v'], env: { NBTRUN_OPT_GRACE: '0' } })
      assert.ok(stdout.includes('nbtrun'))
      assert.ok(!stdout.includes(lab.password()))
      assert.ok(!stdout.split('NBTRUN_RUN_ID')[1]!.includes('NBTRUN_OPT_'), 'options stay out of the program’s environment')
      assert.ok(!JSON.stringify(receipt).includes(lab.password()))
    })
  })

describe('a Windows program on the share', { skip: noLab || missing('wine', 'mingw') || (cell.way !== undefined && 'Wine is no part of the matrix') }, () => {
  let lab: Lab
  let env: Record<string, string>
  before(
    async () => {
      lab = await useLab()
      await makeExe(join(lab.server().diskPath('app'), 'hello.exe'))
      env = await setUpWine(here(lab, 'prefix'))
    },
    { timeout: 280_000 },
  )
  after(() => nothingLeft(lab))

  for (const bare of [false, true]) {
    test(`is run by wine, with its words and its exit code${bare ? ', without -- before it' : ''}`, { timeout: 280_000 }, async () => {
      const { code, stdout, stderr } = await nbtrun(lab, ['{mount}/hello.exe', 'a b', '/exit:42'], { env, bare })
      assert.equal(code, 42, stderr)
      assert.match(stdout, /^a b\r$/m)
    })
  }

  test('finds a wineserver that runs already: a private mapping is refused, with its pid and the cure, and without a word the mapping is shared', {
    timeout: 280_000,
  }, async () => {
    await lab.run('client1', ['wineserver', '--persistent'], { env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
    try {
      const [server] = lab.processes('client1')
      const { code, stderr } = await nbtrun(lab, ['{mount}/hello.exe'], { env, options: ['--mapping', 'private'] })
      assert.equal(code, 125)
      assert.match(stderr, new RegExp(`^nbtrun: a wineserver of .*prefix runs already \\(pid ${server}\\).*--wine-prefix[^\\n]*\\n$`))
      const disk = lab.server().diskPath('app')
      copyFileSync(join(disk, 'hello.exe'), join(disk, 'hello')) // by its name it could be any program
      const late = await nbtrun(lab, ['{mount}/hello'], { env })
      assert.equal(late.code, 125)
      assert.match(
        late.stderr,
        new RegExp(`^nbtrun: a wineserver of .*prefix runs already \\(pid ${server}\\).*; end its programs, or add --mapping shared, or`),
      )
      const said = here(lab, 'said')
      const words = openSync(said, 'w') // Wine's services keep what a program has open: a pipe would not end
      const shared = await nbtrunReceipt(lab, ['hello.exe', '/exit:7'], {
        env,
        options: ['-v', '--grace', '0', '--teardown-timeout', '60s'],
        stdio: ['ignore', 'ignore', words],
      })
      closeSync(words)
      assert.equal(shared.code, 7)
      assert.match(readFileSync(said, 'utf8'), new RegExp(`^nbtrun: a wineserver of .* runs already \\(pid ${server}\\); with a shared mapping`, 'm'))
      assert.deepEqual([shared.receipt.shares[0]?.mapping, shared.receipt.wine?.server], ['shared', 'running'])
    } finally {
      await lab.run('client1', ['wineserver', '--kill'], { env })
      await untilGone(lab)
    }
  })
})

/** A PATH with everything but wine. */
async function toolsWithoutWine(lab: Lab): Promise<string> {
  const folder = here(lab, 'tools')
  const own = `${lab.host('client1').folder}/bin`
  const links = `mkdir -p ${folder} && ln -sft ${folder} /bin/* /usr/bin/* /sbin/* /usr/sbin/* && rm -f ${folder}/*wine*`
  await lab.run('client1', ['sh', '-c', links])
  return `${own}:${folder}`
}
