import assert from 'node:assert/strict'
import { copyFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isMachineRoot } from './packages.ts'
import { type Lab, missing, setUpWine, startLab } from './index.ts'
import { here, noLab, nothingLeftHere } from './nbtrun.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const PAGES = ['README.md', ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`)].filter(name => name.endsWith('.md'))

interface Shown {
  readonly page: string
  readonly line: string
}

/** The command lines in a page's blocks: what a reader would type. */
function commandsOf(page: string): Shown[] {
  const blocks = [...readFileSync(join(root, page), 'utf8').matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(([, language]) => language === '')
  return blocks.flatMap(([, , block = '']) =>
    block.split('\n').flatMap(text => {
      const [, line] = /^(?:\$ )?((?:nbtrun|printf|eval) .*)$/.exec(text) ?? []
      return line === undefined ? [] : [{ page, line }]
    }),
  )
}

const COMMANDS = PAGES.flatMap(commandsOf)

/** Every command of the pages runs as it is printed, against servers of these names, in a fresh home. */
describe('the pages', { skip: noLab || (!isMachineRoot() && 'needs root of the machine'), timeout: 800_000 }, () => {
  let lab: Lab
  let wine: Record<string, string> = {}
  before(async () => {
    const writable = ['read only = no']
    lab = await startLab({ servers: { srv: { shares: { payroll: writable, data: writable } }, files: { shares: { data: writable } } }, clients: ['client1'] })
    for (const [server, share] of [
      ['srv', 'app'],
      ['srv', 'cad'],
      ['srv', 'payroll'],
      ['files', 'data'],
    ] as const)
      for (const name of ['app', 'app.exe', 'APP.EXE', 'cad.exe', 'payroll.exe', 'other.exe']) {
        const path = join(lab.server(server).diskPath(share), name)
        writeFileSync(path, '#!/bin/sh\nexit 0\n')
        chmodSync(path, 0o777)
      }
  })
  before(async () => {
    if (missing('wine') === false) wine = await setUpWine(here(lab, 'prefix'))
  })
  after(() => lab?.dispose())

  /** What the lines speak of: auth files, a tool, a batch file, profiles. */
  function home(): string {
    const folder = here(lab, 'reader')
    rmSync(folder, { recursive: true, force: true })
    const put = (name: string, text: string, mode = 0o600): void => {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text, { mode })
    }
    put('licensed-tool', '#!/bin/sh\nexit 0\n', 0o755)
    put('old.bat', 'net use P: \\\\srv\\payroll\r\nP:\\payroll.exe /m:10\r\nnet use P: /delete\r\n')
    const profile = 'share = "//srv/payroll"\nauth-file = "~/.srv"\nprogram = ["payroll.exe"]\n'
    put('.config/nbtrun/payroll.toml', profile)
    put('here.toml', profile)
    put('password', lab.password())
    for (const [name, user] of [
      ['.srv', 'alice'],
      ['.boss', 'boss'],
    ] as const) {
      copyFileSync(lab.authFile(user), join(folder, name))
      chmodSync(join(folder, name), 0o600)
    }
    return folder
  }

  test('have commands', () => assert.ok(COMMANDS.length > 25, `${COMMANDS.length}`))

  for (const { page, line } of COMMANDS)
    test(`${page}: ${line.replace(/\s+#.*$/, '')}`, { skip: /=P:|\{drive\}/.test(line) && missing('wine') }, async () => {
      const folder = home()
      // a machine of these lines: its own /mnt, no DOSBox, and the address of this lab's server
      const typed = line.replace('/usr/bin/dosbox', '/bin/cat').replace(/10\.0\.0\.[25]/, lab.host('srv').address)
      const machine = `mount -t tmpfs none /mnt && mkdir /mnt/app /mnt/data && cd '${folder}' && exec bash -c "$1"`
      const { code, stderr } = await lab.run('client1', ['unshare', '--mount', 'sh', '-c', machine, 'sh', typed], {
        // who is asked for a password on a terminal has it in a file here
        env: { ...wine, HOME: folder, ...(/-A|--auth-file|profile/.test(line) ? {} : { NBTRUN_OPT_PASSWORD_FILE: join(folder, 'password') }) },
        stdin: 'ignore',
      })
      assert.equal(code, 0, stderr)
      nothingLeftHere(lab)
    })
})
