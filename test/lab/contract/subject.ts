import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../../src/base/time.ts'
import type { Mapping } from '../../../src/mapping/mapping.ts'

/** Every mapping that owes the contract. */
export const MAPPINGS = ['private', 'shared', 'none', 'drive', 'drive by net use', 'none on Windows'] as const
export type MappingName = (typeof MAPPINGS)[number]

export interface Running {
  readonly pid: number
  readonly exited: Promise<unknown>
}

/** A mapping that was taken, and how a program is started in it. */
export interface Taken {
  readonly mapping: Mapping
  /** Where the program finds the share: a folder, or `P:`. Undefined where it finds none. */
  readonly point: string | undefined
  /** Starts the program that does as its words say (fixtures/launcher.c), from the share where there is one, by the words of `enter`. */
  readonly start: (cwd: string, words: readonly string[]) => Promise<Running>
  /** What was said to the user until now. */
  readonly said: readonly string[]
}

/** What keeps a file of the share open. */
export interface Holding {
  /** For the program. */
  readonly words: readonly string[]
  /** What must be named then, for the program with this pid. */
  names(pid: number): readonly RegExp[]
  /** Lets go, and gives back what could not be given back meanwhile. */
  letGo(): Promise<void>
}

/** One way of mapping on this machine. */
export interface Subject {
  readonly kind: Mapping['kind']
  /** A folder beside the share, where a program leaves word. */
  readonly folder: string
  /** `force`: its end takes it away under whoever has files open, where there is a choice. */
  open(options?: { readonly force?: boolean }): Promise<Taken>
  /** Takes a share, and then one that cannot be had: rejects. */
  openHalf?(): Promise<unknown>
  hold?(taken: Taken): Holding
  /** Whether a process that the run did not start finds the share. */
  isSeenOutside?(taken: Taken): Promise<boolean>
  /** What of it is left on this machine. */
  left(): Promise<readonly string[]>
}

/** Generous: a program of Windows starts in seconds on a busy machine. */
const COMES_MS = 60_000

/** A name for word of a program; nobody else has it. */
export function word(subject: Subject, name: string): string {
  return join(subject.folder, `${name}-${counted++}`)
}
let counted = 0

export async function there(path: string): Promise<void> {
  for (const dueAt = performance.now() + COMES_MS; !existsSync(path); await pause(20))
    if (performance.now() > dueAt) throw new Error(`the program never made ${path}`)
}

export async function nothingLeft(subject: Subject): Promise<void> {
  let left = await subject.left()
  for (const dueAt = performance.now() + COMES_MS; left.length > 0 && performance.now() < dueAt; left = await subject.left()) await pause(50)
  assert.deepEqual(left, [], 'left over')
}
