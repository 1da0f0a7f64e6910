import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { errnoOf, NbtrunError } from '../base/errors.ts'
import { nameKey, type NetbiosName, spellName } from './names.ts'

/** How long the holder has to say who it is, ms. */
const ASKING_MS = 500

/** What somebody says who has the name for a moment only, to give back what a dead program left, and how long that may take, ms. */
const PASSING = '-'
const PASSING_MS = 5000
/** More than so many in a row are not waited for. */
const TRIES = 3

/**
 * Takes a name for this process alone among those of this machine, before anybody else is asked: at a name server two programs of one host look like one, and
 * the first to end would give the name back for both. An abstract socket (unix(7)) is a lock in the network namespace, which is what NetBIOS takes for a host,
 * and the kernel gives it back however its holder ends. Resolves to the way back; rejects with NAME_HELD (`facts.pid`, where the holder tells). Who is only
 * `passing` is waited for by the others.
 */
export async function reserve(name: NetbiosName, { passing = false }: { readonly passing?: boolean } = {}): Promise<() => Promise<void>> {
  const path = `\0nbtrun-name-${createHash('sha256').update(nameKey(name)).digest('hex').slice(0, 32)}`
  for (let tries = 1; ; tries++) {
    const waiting = new Set<Socket>()
    const server = createServer(socket => {
      socket.on('error', () => {})
      if (passing) {
        waiting.add(socket.resume().once('close', () => waiting.delete(socket)))
        socket.write(PASSING)
      } else socket.end(String(process.pid))
    })
    server.listen(path)
    try {
      await once(server, 'listening')
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EADDRINUSE') return async () => {} // a system without such sockets
      const { said, free } = await hear(path)
      if (free && tries < TRIES) continue
      throw heldHere(name, said)
    }
    server.unref()
    return async () => {
      if (!server.listening) return
      server.close()
      for (const socket of waiting) socket.end()
      await once(server, 'close')
    }
  }
}

function heldHere(name: NetbiosName, pid: string): NbtrunError {
  const known = /^\d{1,10}$/.test(pid)
  const spelled = spellName(name)
  return new NbtrunError('NAME_HELD', `the name ${spelled} is held by ${known ? `process ${pid}` : 'another program'} on this machine`, {
    hint: 'a unique name has one holder: end that one',
    facts: { name: spelled, by: 'this machine', ...(known ? { pid: Number(pid) } : {}) },
  })
}

/** What the holder says; `free`: it was only passing and has given the name back, or did so, however it ended, just when it was asked. */
async function hear(path: string): Promise<{ readonly said: string; readonly free: boolean }> {
  const socket = connect(path)
  let late = false
  const patience = (ms: number): NodeJS.Timeout =>
    setTimeout(() => {
      late = true
      socket.destroy()
    }, ms)
  let timer = patience(ASKING_MS)
  let said = ''
  try {
    for await (const chunk of socket) {
      said += String(chunk)
      if (said.length > 16) break // no pid
      if (said !== PASSING) continue
      clearTimeout(timer)
      timer = patience(PASSING_MS)
    }
  } catch {} // nobody listens there any more, or nobody has answered in time
  clearTimeout(timer)
  return { said, free: !late && (said === PASSING || said === '') }
}
