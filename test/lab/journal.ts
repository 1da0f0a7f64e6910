import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../src/base/time.ts'
import type { Known } from '../../src/run/journal/overview.ts'
import type { Lab, User } from './index.ts'

/** Where the runs of a user have their journal on a client. */
export function journalOf(lab: Lab, client = 'client1', user: User | 'root' = 'root'): string {
  return join(lab.host(client).folder, 'home', user, '.local', 'state', 'nbtrun', 'journal')
}

/** The files in it. */
export function entries(lab: Lab, client = 'client1', user: User | 'root' = 'root'): string[] {
  const folder = journalOf(lab, client, user)
  return existsSync(folder) ? readdirSync(folder) : []
}

/** The one entry in it, line by line. */
export function onlyEntry(lab: Lab, client = 'client1', user: User | 'root' = 'root'): Record<string, unknown>[] {
  const names = entries(lab, client, user)
  if (names.length !== 1) throw new Error(`the journal has ${names.length} entries: ${names.join(', ')}`)
  const lines = readFileSync(join(journalOf(lab, client, user), names[0]!), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.map(line => JSON.parse(line) as Record<string, unknown>)
}

/** What `nbtrun runs` knows on a client. */
export async function runs(lab: Lab, options: Parameters<Lab['run']>[2] = {}, client = 'client1'): Promise<Known[]> {
  const { stdout } = await lab.run(client, ['nbtrun', 'runs', '--json'], options)
  return (JSON.parse(stdout) as { runs: Known[] }).runs
}

/** Lets a client be that machine: what a machine is known by is its machine-id, its name, and the boot that it is in. As root of the machine. */
export async function become(lab: Lab, client: string, { machine, boot, name }: { machine?: string; boot?: string; name?: string }): Promise<void> {
  const { folder } = lab.host(client)
  const cover = async (path: string, text: string): Promise<void> => {
    const file = join(folder, `cover-${path.replaceAll('/', '-')}`)
    writeFileSync(file, `${text}\n`, { mode: 0o644 })
    const { code, stderr } = await lab.run(client, ['sh', '-c', '[ -e "$2" ] || : >"$2"; exec mount --bind "$1" "$2"', 'sh', file, path], { user: 'root' })
    if (code !== 0) throw new Error(stderr)
  }
  if (machine !== undefined) await cover('/etc/machine-id', machine)
  if (boot !== undefined) await cover('/proc/sys/kernel/random/boot_id', boot)
  if (name !== undefined) await lab.run(client, ['hostname', name], { user: 'root' })
}

/** Until it has said so. */
export async function said(run: ReturnType<Lab['spawn']>, word = 'ready'): Promise<string> {
  let text = ''
  for await (const chunk of run.stdout as AsyncIterable<Buffer>) if ((text += String(chunk)).includes(word)) return text
  throw new Error(`it ended without ${word}: ${text}${String((await run).stderr)}`)
}

export async function until(what: string, is: () => boolean, ms = 30_000): Promise<void> {
  for (const dueAt = performance.now() + ms; !is(); ) {
    if (performance.now() > dueAt) throw new Error(`${what} did not come within ${ms} ms`)
    await pause(10)
  }
}
