import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { NbtrunError } from '../../base/errors.ts'
import { startOf, survivorOf } from '../../base/living.ts'
import { pause } from '../../base/time.ts'
import type { Manner } from '../tree.ts'
import { winePrefix } from './prefix.ts'

// No look at a process blocks this one: it may be executing a program of a mapping that we serve, and keeps who looks waiting until we answered.

/**
 * The pid of the prefix's running wineserver. Its working folder is named after device and inode of the prefix; where that folder lies
 * (`/tmp/.wine-UID`, `/tmp/wine-XXXXXX`) differs between distributions.
 */
export async function wineserverOf(prefix: string): Promise<number | undefined> {
  const at = await stat(prefix).catch(() => undefined)
  if (at === undefined) return undefined
  const folder = `server-${at.dev.toString(16)}-${at.ino.toString(16)}`
  for (const pid of (await readdir('/proc')).map(Number)) if (Number.isInteger(pid) && basename(await linkOf(pid, 'cwd')) === folder) return pid
  return undefined
}

/** The error of a run whose wineserver would not see its share: it opens the files for the programs, and one outside of a private mapping finds none. */
export function serverOutside(prefix: string, pid: number, hint: string, mapping = 'a private'): NbtrunError {
  return new NbtrunError('WINESERVER_OUTSIDE', `a wineserver of ${prefix} runs already (pid ${pid}) and would not see ${mapping} mapping`, {
    hint,
    facts: { pid, prefix },
  })
}

/** Whether a process sees something of nbtrun mounted at `point`. proc_pid_mountinfo(5) */
export async function seesMapping(pid: number, point: string): Promise<boolean> {
  const escaped = point.replace(/[ \t\n\\]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')
  return mounts.split('\n').some(line => line.split(' ')[4] === escaped && line.includes(' - fuse.nbtrun '))
}

/** How many sockets a process has: a wineserver one for each client, and one more for those who come. 0 when it is gone. */
async function socketsOf(pid: number): Promise<number> {
  let sockets = 0
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) if ((await linkOf(pid, `fd/${fd}`)).startsWith('socket:')) sockets++
  return sockets
}

/** A look this long after another one finds the same: nobody was just coming or going, ms. */
const TWICE_MS = 100

/**
 * Ends the prefix's wineserver once it serves nobody: by itself it waits some seconds for whoever comes, and holds the mapping meanwhile. TERM has it write the
 * registry first. `isOurs`: one that others started is theirs. Resolves when the signal aborts, or when the server is gone, and what it left behind.
 */
export async function endIdleServer(prefix: string, isOurs: (pid: number) => Promise<boolean>, signal: AbortSignal): Promise<void> {
  let pid: number | undefined
  for (let idleBefore = false; !signal.aborted; await pause(TWICE_MS, signal)) {
    const sockets = pid === undefined ? 0 : await socketsOf(pid)
    if (pid === undefined || sockets === 0) {
      pid = await wineserverOf(prefix)
      if (pid === undefined && (await endOrphans(prefix))) return
      idleBefore = false
      continue
    }
    if (sockets === 1 && idleBefore && (await isOurs(pid))) {
      try {
        process.kill(pid, 'SIGTERM')
      } catch {} // it was just going
    }
    idleBefore = sockets === 1
  }
}

/** What runs only as long as a wineserver does: nobody but Wine starts these, and not before they have one. */
const SERVICES: readonly string[] = ['services.exe', 'winedevice.exe', 'plugplay.exe', 'svchost.exe', 'rpcss.exe']
/** What Wine starts for itself, which goes when the last program has gone, and what we ask it by. */
const OWN: readonly string[] = [...SERVICES, 'explorer.exe', 'conhost.exe', 'wineboot.exe', 'taskkill.exe']

/**
 * Ends the services of a prefix whose wineserver is gone. One that the server ended goes on with the threads that are not Wine's, as those of a library that
 * waits for devices, until the server kills it a second later; where the server was ended meanwhile, nobody does. Their threads keep all that they inherited: a
 * pipe, the mapping. False where there is a server again.
 */
async function endOrphans(prefix: string): Promise<boolean> {
  const services = await servicesOf(prefix)
  if ((await wineserverOf(prefix)) !== undefined) return false // looked for after them: one that came meanwhile has services of its own
  for (const [pid, began] of services) {
    if ((await startOf(pid)) !== began) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {} // gone meanwhile
  }
  return true
}

/** The services of a prefix, and when each began. */
async function servicesOf(prefix: string): Promise<(readonly [pid: number, began: string])[]> {
  const found: (readonly [number, string])[] = []
  for (const pid of (await readdir('/proc')).map(Number)) {
    if (!Number.isInteger(pid) || !SERVICES.includes(await nameOf(pid))) continue
    const began = await startOf(pid)
    if (began !== undefined && (await roleOf(pid)) === 'own' && (await isSameFolder(await prefixOf(pid), prefix))) found.push([pid, began])
  }
  return found
}

/** The prefix that a process of Wine has been given. */
export async function prefixOf(pid: number): Promise<string> {
  const folder = survivorOf(pid) ?? `/proc/${pid}`
  const variables = (await readFile(`${folder}/environ`, 'utf8').catch(() => '')).split('\0')
  return winePrefix(Object.fromEntries(variables.map(variable => [variable.split('=', 1)[0]!, variable.slice(variable.indexOf('=') + 1)])))
}

export async function isSameFolder(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map(path => stat(path).catch(() => undefined)))
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino
}

/**
 * How processes of Wine are ended. INT comes to a program as Ctrl-C, while TERM ends it without a word; the wineserver would take all of them along, and by
 * TERM, not by KILL, it writes the registry first.
 */
export const MANNER: Manner = {
  ask: async pid => ({ server: undefined, own: undefined, program: 'SIGINT' as const, none: 'SIGTERM' as const })[await roleOf(pid)],
  end: async pid => ((await roleOf(pid)) === 'server' ? 'SIGTERM' : 'SIGKILL'),
}

/** Whether a process is the wineserver or one that it starts for itself. */
export async function isWines(pid: number): Promise<boolean> {
  const role = await roleOf(pid)
  return role === 'server' || role === 'own'
}

/** What a process is to Wine. What it runs is Wine's loader; its name is that of the program. */
export async function roleOf(pid: number): Promise<'server' | 'own' | 'program' | 'none'> {
  const survivor = survivorOf(pid)
  const file = basename(await (survivor === undefined ? linkOf(pid, 'exe') : readlink(`${survivor}/exe`).catch(() => '')))
  if (file.startsWith('wineserver')) return 'server'
  if (!/^wine(32|64)?(-preloader)?(-\w+)?$/.test(file)) return 'none'
  return OWN.includes(await nameOf(pid)) ? 'own' : 'program'
}

export async function nameOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim()
}

/** Empty where it is gone, or not ours to look at. */
function linkOf(pid: number, name: string): Promise<string> {
  return readlink(`/proc/${pid}/${name}`).catch(() => '')
}
