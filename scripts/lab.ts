// npm run lab -- CMD...: a private Samba network, and CMD on a client of it, with this terminal. Without CMD: a shell.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { join } from 'node:path'
import { enter } from '../test/lab/host.ts'
import { ensurePackages, type Lab, missing, runAsRoot, startLab } from '../test/lab/index.ts'

const say = (line: string): void => console.error(`lab: ${line}`)

async function count(lab: Lab, when: string): Promise<void> {
  for (const server of [lab.server('srv'), lab.server('srv2')]) {
    const sessions = await server.sessions()
    const who = sessions.map(({ user, address, dialect }) => `${user}@${address} ${dialect}`)
    say(`${server.name} has ${sessions.length} session${sessions.length === 1 ? '' : 's'} ${when}${who.length === 0 ? '' : `: ${who.join(', ')}`}`)
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const elsewhere = await runAsRoot({ interruptible: false })
  if (elsewhere !== undefined) return elsewhere
  ensurePackages(['lab'])
  const why = missing('lab')
  if (why !== false) {
    say(why)
    return 125
  }
  await using lab = await startLab({ reachable: false, interruptible: false })
  const variables = {
    LAB_HOST: 'srv',
    LAB_ADDRESS: lab.server().address,
    LAB_WINS: lab.server().address,
    LAB_USER: 'alice',
    LAB_AUTH_FILE: lab.authFile('alice'),
    LAB_BOSS_AUTH_FILE: lab.authFile('boss'),
    LAB_SHARE: '//srv/app',
    LAB_METERED: '//srv/cad',
    LAB_READONLY: '//srv/readonly',
    LAB_PRIVATE: '//srv/private',
    LAB_SHARE2: '//srv2/files',
    LAB_DISK: lab.server().diskPath('app'),
  }
  const client = lab.host('client1')
  const env = {
    ...process.env,
    ...variables,
    PATH: `${join(client.folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    SMB_CONF_PATH: join(lab.state.folder, 'client.conf'),
  }
  if (argv.length === 0) for (const [name, value] of Object.entries(variables)) say(`${name}=${value}`)
  await count(lab, 'before')
  const program = argv.length === 0 ? [process.env['SHELL'] ?? '/bin/sh'] : argv
  const [file = '', ...args] = [...enter(client, { cwd: process.cwd() }), ...program]
  // keys are for the program; this process waits for it
  const heed = (): void => {}
  process.on('SIGINT', heed).on('SIGQUIT', heed)
  const child = spawn(file, args, { stdio: 'inherit', env })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  await count(lab, 'after')
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

process.exitCode = await main(process.argv.slice(2))
