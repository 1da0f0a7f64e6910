import { randomBytes } from 'node:crypto'
import { renameSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { compare, makePrivate, numberOf, removeIfEmpty, ticketsIn } from './folder.ts'
import type { Lack } from './lack.ts'
import { follow, reach, REPEAT_MS, spellStanding, type Standing } from './neighbour.ts'

/** More than this many meet nobody at once. */
const TRIES = 100

/** The word of a run that gave a seat back. */
export const FREE = 'free\n'

/**
 * A place in the line for one share. It is a socket that its holder listens on, under a number greater than those there: whoever comes later connects to the
 * one ahead, and learns from the end of that connection that the line has moved. The kernel closes the sockets of the dead, so nobody waits for them.
 */
export class Ticket {
  /** Called when the place changes, or what the line waits for is learnt. */
  moved: (standing: Standing) => void = () => {}
  /** Called when a run on this machine gave a seat back. */
  freed: () => void = () => {}
  readonly #folder: string
  readonly #name: string
  readonly #server: Server
  readonly #followers: Set<Socket>
  readonly #repeat: NodeJS.Timeout
  /** Those ahead that are stopped. */
  readonly #silent = new Set<string>()
  /** Undefined until it is learnt. */
  #standing: Standing | undefined

  private constructor(folder: string, name: string, server: Server, followers: Set<Socket>) {
    this.#folder = folder
    this.#name = name
    this.#server = server
    this.#followers = followers
    this.#repeat = setInterval(() => this.#say(), REPEAT_MS)
    for (const socket of followers) this.#welcome(socket)
    server.on('connection', socket => this.#welcome(socket))
  }

  /** Takes the last place. Undefined where the folder does not allow it. */
  static async take(folder: string): Promise<Ticket | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const mark = randomBytes(4).toString('hex')
      const followers = new Set<Socket>()
      const server = createServer(socket => {
        followers.add(socket)
        socket.on('error', () => {}).once('close', () => followers.delete(socket))
      })
      try {
        if (!makePrivate(folder)) return undefined
        await listen(server, join(folder, `.${mark}`))
        // it has its name only once it listens: who is connected to in vain is dead
        const name = `${numberOf(ticketsIn(folder).at(-1) ?? '') + 1}-${mark}`
        renameSync(join(folder, `.${mark}`), join(folder, name))
        const ticket = new Ticket(folder, name, server, followers)
        // somebody took a later number meanwhile and may believe to be the first: then this one is too late
        if (ticketsIn(folder).at(-1) === name) return ticket
        ticket.leave()
      } catch (thrown) {
        server.close()
        if (errnoOf(thrown) !== 'ENOENT') return undefined // else the last one out has just removed the folder
      }
    }
    return undefined
  }

  /** What the holder waits for; those behind it wait for the same. */
  set lack(lack: Lack) {
    this.#move({ place: 1, lack })
  }

  /** Until nobody is ahead. False where the signal aborted before. */
  async first(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const ahead = await this.#ahead()
      if (ahead === undefined) {
        this.#move({ place: 1, lack: this.#standing?.lack })
        return true
      }
      const { name, socket } = ahead
      const end = await follow(socket, ({ place, lack }) => this.#move({ place: place + 1, lack }), signal)
      if (end === 'silent') this.#silent.add(name)
    }
    return false
  }

  /** Idempotent. */
  leave(): void {
    clearInterval(this.#repeat)
    remove(join(this.#folder, this.#name))
    this.#server.close()
    for (const socket of this.#followers) socket.destroy()
    removeIfEmpty(this.#folder)
  }

  /** The nearest one ahead that is there. The tickets of the dead are swept away. */
  async #ahead(): Promise<{ readonly name: string; readonly socket: Socket } | undefined> {
    const before = ticketsIn(this.#folder).filter(name => compare(name, this.#name) < 0)
    for (const name of before.reverse()) {
      if (this.#silent.has(name)) continue
      const path = join(this.#folder, name)
      const reached = await reach(path)
      if (reached === 'dead') remove(path)
      else if (reached !== 'deaf') return { name, socket: reached }
    }
    return undefined
  }

  #welcome(socket: Socket): void {
    socket.write(this.#spelled)
    socket.once('data', data => {
      if (data.toString('latin1') === FREE) this.freed()
      socket.resume() // whatever else it says is heard by nobody
    })
  }

  #move(standing: Standing): void {
    if (standing.place === this.#standing?.place && standing.lack === this.#standing.lack) return
    this.#standing = standing
    this.moved(standing)
    this.#say()
  }

  #say(): void {
    for (const socket of this.#followers) socket.write(this.#spelled)
  }

  /** An empty line while it is not known: it is there all the same. */
  get #spelled(): string {
    return this.#standing === undefined ? '\n' : spellStanding(this.#standing)
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve())
  })
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {} // somebody else did, or it is no file: then it is nobody's ticket either
}
