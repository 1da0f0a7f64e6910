import { chownSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa, type Options, type ResultPromise } from 'execa'
import { cell, ME, type Wire, WIRES } from './cell.ts'
import { coverEtc, enter, type Host } from './host.ts'
import { UIDS, type User, USERS } from './users.ts'

/** The checkout under test. */
export const REPOSITORY = dirname(dirname(import.meta.dirname))

export interface RunOptions {
  /** Root when left out, or whoever the cell of the matrix says. */
  readonly user?: User | 'root'
  readonly cwd?: string
  /** Added to the client's own small environment; nothing of this process's gets through. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string | Uint8Array
  readonly stdin?: Options['stdin']
  readonly stdout?: Options['stdout']
  readonly stderr?: Options['stderr']
  /** All descriptors; a number is one of this process's. */
  readonly stdio?: readonly ('pipe' | 'ignore' | 'inherit' | number)[]
  /** The program is killed after so many ms: 120 s unless told. */
  readonly timeout?: number
}

type StdioArray = Extract<NonNullable<Options['stdio']>, readonly unknown[]>

export interface Outcome {
  /** Exit status, or undefined where a signal ended it. */
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

/**
 * Set-up lines of a client: its own users, names and name servers (none), the checkout and node where ordinary users can read them (a
 * home may not let them), and a /dev/fuse that everybody may open and a fusermount3 that mounts, as distributions have them.
 */
export function clientSetup(folder: string, etc: Readonly<Record<string, string>>): string {
  for (const name of ['home', 'run', 'tmp', 'dev', 'repository', 'bin']) mkdirSync(join(folder, name), { recursive: true })
  for (const user of ['root', ...USERS] as const) {
    const uid = user === 'root' ? 0 : UIDS[user]
    for (const place of ['home', 'run', 'tmp']) {
      mkdirSync(join(folder, place, user), { mode: 0o700 })
      chownSync(join(folder, place, user), uid, uid)
    }
  }
  symlinkSync(join(folder, 'repository', 'bin', 'nbtrun.js'), join(folder, 'bin', 'nbtrun'))
  return `
# a mapping that somebody else on this machine has just now is none of this host's
while read -r id parent device root at rest; do
  case $rest in *' - fuse.nbtrun '*) umount -l "$at" || : ;; esac
done </proc/self/mountinfo
mount --rbind '${REPOSITORY}' '${folder}/repository'
mount -o remount,bind,ro '${folder}/repository' || :
: >'${folder}/bin/node'
mount --bind '${realpathSync(process.execPath)}' '${folder}/bin/node'
mount -t tmpfs -o mode=755,size=1m lab '${folder}/dev'
if [ -c /dev/fuse ] && mknod '${folder}/dev/fuse' c 10 229; then
  chmod 666 '${folder}/dev/fuse'
  mount --bind '${folder}/dev/fuse' /dev/fuse
fi
# setuid of the root that this is: in a user namespace the machine's own would not be
if [ -x /usr/bin/fusermount3 ]; then
  cp /usr/bin/fusermount3 '${folder}/dev/fusermount3'
  chmod 4755 '${folder}/dev/fusermount3'
  mount --bind '${folder}/dev/fusermount3' /usr/bin/fusermount3
fi
${coverEtc(folder, etc)}`
}

/** What a program of the lab finds in its environment. */
export function clientEnv(host: Host, user: User | 'root'): Record<string, string> {
  return {
    PATH: `${host.folder}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: join(host.folder, 'home', user),
    USER: user,
    LOGNAME: user,
    SHELL: '/bin/sh',
    TERM: 'xterm',
    LANG: 'C.UTF-8',
    XDG_RUNTIME_DIR: join(host.folder, 'run', user),
    TMPDIR: join(host.folder, 'tmp', user),
    ...(WIRES[cell.wire] as Wire).client,
    SMB_CONF_PATH: join(dirname(host.folder), 'client.conf'),
    ...(cell.way === undefined ? {} : { NBTRUN_TEST_WAY: cell.way }),
    // a shared mapping has 5 s of grace unless told; the acceptance is about what comes without
    ...(cell.way === 'c' ? { NBTRUN_OPT_GRACE: '0' } : {}),
  }
}

/** Starts a program on a client; the process is the program itself, so its pid and signals are real. Killed when this process ends. */
export function spawnOn(host: Host, argv: readonly string[], options: RunOptions = {}): ResultPromise<Options> {
  const { user = ME, cwd, env, stdio, ...rest } = options
  const own = clientEnv(host, user)
  const words = enter(host, { cwd: cwd ?? own['HOME'], user: user === 'root' ? undefined : UIDS[user] })
  const [file = '', ...args] = [...words, ...argv]
  const limits = { reject: false, stripFinalNewline: false, timeout: 120_000, killSignal: 'SIGKILL' } as const
  const all: Options = { ...limits, ...rest, ...(stdio === undefined ? {} : { stdio: stdio as StdioArray }), env: { ...own, ...env }, extendEnv: false }
  return execa(file, args, all)
}

/** Runs a program on a client and waits for it. Throws only where it could not be started. */
export async function runOn(host: Host, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const result = await spawnOn(host, argv, options.input === undefined && options.stdio === undefined ? { stdin: 'ignore', ...options } : options)
  if (result.timedOut) throw new Error(`lab: ${argv.join(' ')} did not end in time; stderr: ${String(result.stderr)}`)
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  return { code: result.exitCode, signal: result.signal, stdout: text(result.stdout), stderr: text(result.stderr), ms: result.durationMs }
}
