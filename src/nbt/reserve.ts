import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { within } from '../base/time.ts'
import { nameKey, type NetbiosName, spellName } from './names.ts'

/** How long the holder has to say who it is, ms. */
const ASKING_MS = 500

/**
 * Takes a name for this process alone among those of this machine, before anybody else is asked: at a name server two programs of one host look like one, and
 * the first to end would give the name back for both. An abstract socket (unix(7)) is a lock in the network namespace, which is what NetBIOS takes for a host,
 * and the kernel gives it back however its holder ends. Resolves to the way back; rejects with NAME_HELD (`facts.pid`, where the holder tells).
 */
export async function reserve(name: NetbiosName): Promise<() => Promise<void>> {
  const path = `\0nbtrun-name-${createHash('sha256').update(nameKey(name)).digest('hex').slice(0, 32)}`
  const server = createServer(socket => socket.on('error', () => {}).end(String(process.pid)))
  server.listen(path)
  try {
    await once(server, 'listening')
  } catch (thrown) {
    if (errnoOf(thrown) === 'EADDRINUSE') throw await heldHere(name, path)
    return async () => {} // a system without such sockets
  }
  server.unref()
  return async () => {
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
}

async function heldHere(name: NetbiosName, path: string): Promise<NbtrunError> {
  const pid = await within(ASKING_MS, signal => ask(path, signal)).catch(() => '')
  const known = /^\d{1,10}$/.test(pid)
  const spelled = spellName(name)
  return new NbtrunError('NAME_HELD', `the name ${spelled} is held by ${known ? `process ${pid}` : 'another program'} on this machine`, {
    hint: 'a unique name has one holder: end that one',
    facts: { name: spelled, by: 'this machine', ...(known ? { pid: Number(pid) } : {}) },
  })
}

async function ask(path: string, signal: AbortSignal): Promise<string> {
  const socket = connect(path)
  signal.addEventListener('abort', () => socket.destroy(), { once: true })
  let said = ''
  for await (const chunk of socket) {
    said += String(chunk)
    if (said.length > 16) break // no pid
  }
  return said
}
