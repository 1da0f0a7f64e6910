import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOM, roomRefused } from './missing.ts'
import { isRoot, TOOL_PATH } from './packages.ts'
import { isAlive, machine, type Process, processOf } from './processes.ts'

const INIT = join(import.meta.dirname, 'fixtures', 'rootless.sh')
const REPOSITORY = dirname(dirname(import.meta.dirname))
const PREFIX = 'nbtrun-rootless-'
const env = { ...process.env, PATH: TOOL_PATH }

/**
 * The one place where it is decided how an ordinary user gets a lab: runs this process's own command line again as root of a user namespace and
 * returns its exit code. Undefined where this process goes on itself: it is root, or the machine refuses (the tests then say so).
 * Whatever ends this process ends everything in there, kill -9 included. `interruptible`: Ctrl-C does too; otherwise it is for the program inside.
 */
export async function runAsRoot({ interruptible = true } = {}): Promise<number | undefined> {
  if (isRoot() || roomRefused() !== false) return undefined
  sweep()
  const folder = mkdtempSync(join(tmpdir(), PREFIX))
  writeFileSync(join(folder, 'owner'), JSON.stringify({ ...processOf(process.pid), machine: machine() }))
  const words = ['--pdeathsig', 'KILL', '--', ...ROOM, 'sh', INIT, folder, REPOSITORY, process.execPath]
  const child = spawn('setpriv', [...words, ...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit', env: { ...env, LAB_ROOTLESS: '1' } })
  try {
    return await endOf(child, interruptible)
  } finally {
    remove(folder)
  }
}

/** Resolves with the exit code; after a signal to this process with 128 + n, when everything is gone. */
function endOf(child: ChildProcess, interruptible: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let ended = 0
    const end = (_: NodeJS.Signals, n: number): void => {
      ended = 128 + n
      child.kill('SIGKILL')
    }
    process.on('SIGTERM', end).on('SIGHUP', end)
    process.on('SIGINT', interruptible ? end : () => {}).on('SIGQUIT', interruptible ? end : () => {})
    child.once('error', reject).once('close', code => resolve(ended === 0 ? (code ?? 1) : ended))
  })
}

/** Removes what runs left that were killed. */
function sweep(): void {
  for (const entry of readdirSync(tmpdir()).filter(name => name.startsWith(PREFIX))) {
    const owner = join(tmpdir(), entry, 'owner')
    try {
      if (!existsSync(owner)) continue
      const left = JSON.parse(readFileSync(owner, 'utf8')) as Process & { machine: string }
      if (left.machine === machine() && !isAlive(left)) remove(join(tmpdir(), entry))
    } catch {} // another user's, or somebody else sweeps it
  }
}

/** Files in there belong to user ids that only a user namespace lets this user touch. */
function remove(folder: string): void {
  execFileSync('unshare', ['--user', '--map-root-user', '--map-auto', '--', 'rm', '-rf', '--', folder], { env })
}
