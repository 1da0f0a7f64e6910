import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { compare, makePrivate, numberOf, removeIfEmpty, removeTicket, ticketsIn } from './folder.ts'
import { theGround } from './ground.ts'
import type { Lack } from './lack.ts'
import { follow, reach, REPEAT_MS, spellLack } from './neighbour.ts'

/** More than this many meet nobody at once. */
const TRIES = 100

/** The word of a run that gave a seat back. */
export const FREE = 'free\n'

export interface Standing {
  /** 1 for the first. */
  readonly place: number
  /** What the line waits for, once that is known. */
  readonly lack: Lack | undefined
}

/**
 * A place in the line for one share. It is a socket, or a pipe, that its holder listens on, under a number greater than those there: whoever comes later connects
 * to the one ahead, and learns from the end of that connection that the line has moved. The kernel closes those of the dead, so nobody waits for them.
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
  /** Those ahead that nobody need wait for: stopped, dead, or no tickets at all. */
  readonly #absent = new Set<string>()
  #standing: Standing = { place: 1, lack: undefined }

  private constructor(folder: string, name: string, server: Server, followers: Set<Socket>) {
    this.#folder = folder
    this.#name = name
    this.#server = server
    this.#followers = followers
    this.#repeat = setInterval(() => {
      this.#count()
      this.#say()
    }, REPEAT_MS)
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
        await theGround().listen(server, join(folder, `.${mark}`))
        // it has its name only once it listens: who is connected to in vain is dead
        const name = `${numberOf(ticketsIn(folder).at(-1) ?? '') + 1}-${mark}`
        renameSync(join(folder, `.${mark}`), join(folder, name))
        const ticket = new Ticket(folder, name, server, followers)
        // somebody took a later number meanwhile and may believe to be the first: then this one is too late
        if (ticketsIn(folder).at(-1) === name) return ticket
        ticket.leave()
      } catch (thrown) {
        server.close()
        if (!theGround().isFolderGoing(errnoOf(thrown))) return undefined // else the last one out has just removed the folder
      }
    }
    return undefined
  }

  /** What the holder waits for; those behind it wait for the same. */
  set lack(lack: Lack) {
    this.#learn(lack)
  }

  /** Until nobody is ahead. False where somebody still is when the signal aborts. */
  async first(signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const ahead = await this.#ahead()
      this.#count()
      if (ahead === undefined) return true
      const { name, socket } = ahead
      if (signal.aborted) {
        socket.destroy()
        return false
      }
      const end = await follow(socket, lack => this.#learn(lack), signal)
      if (end === 'silent') this.#absent.add(name)
    }
  }

  /** Idempotent. */
  leave(): void {
    clearInterval(this.#repeat)
    removeTicket(this.#folder, this.#name)
    this.#server.close()
    for (const socket of this.#followers) socket.destroy()
    removeIfEmpty(this.#folder)
  }

  /** The nearest one ahead that is there. The tickets of the dead are swept away. */
  async #ahead(): Promise<{ readonly name: string; readonly socket: Socket } | undefined> {
    for (const name of this.#before().reverse()) {
      const reached = await reach(join(this.#folder, name))
      if (typeof reached !== 'string') return { name, socket: reached }
      this.#absent.add(name)
      if (reached === 'dead') removeTicket(this.#folder, name)
    }
    return undefined
  }

  #welcome(socket: Socket): void {
    socket.write(spellLack(this.#standing.lack))
    socket.once('data', data => {
      socket.resume() // whatever else it says is heard by nobody
      if (data.toString('latin1') !== FREE) return
      this.freed()
      socket.destroy()
    })
  }

  /** Looks which place this is now. Those behind look for themselves: a word down the line for each that leaves would wake everybody. */
  #count(): void {
    const place = 1 + this.#before().length
    if (place === this.#standing.place) return
    this.#standing = { ...this.#standing, place }
    this.moved(this.#standing)
  }

  #learn(lack: Lack): void {
    if (lack === this.#standing.lack) return
    this.#standing = { ...this.#standing, lack }
    this.moved(this.#standing)
    this.#say()
  }

  /** Those ahead, the first one first. */
  #before(): string[] {
    return ticketsIn(this.#folder).filter(name => compare(name, this.#name) < 0 && !this.#absent.has(name))
  }

  #say(): void {
    for (const socket of this.#followers) socket.write(spellLack(this.#standing.lack))
  }
}
