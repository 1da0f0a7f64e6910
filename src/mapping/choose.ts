import { asError, NbtrunError } from '../base/errors.ts'
import type { Reason } from './fuse/failures.ts'
import { openRoom } from './fuse/room.ts'
import { openShared, type SharedOptions } from './fuse/shared.ts'
import { mayMount } from './fuse/tools.ts'
import type { Mapping } from './mapping.ts'

/** root: a mount namespace; b2 and b1: in a user namespace, without and with a relay; c: seen by all of this user. */
export const WAYS = ['root', 'b2', 'b1', 'c'] as const
export type Way = (typeof WAYS)[number]

export interface ChooseOptions extends SharedOptions {
  readonly kind: 'auto' | 'private' | 'shared'
  /** This way and no other. */
  readonly only?: Way | undefined
}

export interface Chosen {
  readonly mapping: Mapping
  /** Why the ways before it were not taken. */
  readonly refusals: readonly string[]
}

/**
 * Maps by the first way that this machine allows. Each is tried rather than probed: what a probe would find out, the attempt finds out in the same time, and the
 * first attempt nearly always succeeds. Throws MAPPING_FAILED: why each way is closed, and the cure of the best one.
 */
export async function openMapping(options: ChooseOptions): Promise<Chosen> {
  const refusals: { readonly way: Way; readonly error: NbtrunError }[] = []
  for (const way of waysFor(options)) {
    if (refusals.some(({ error }) => isPointless(way, error.facts['reason'] as Reason | undefined))) continue
    try {
      const mapping = way === 'c' ? await openShared(options) : await openRoom(way, options)
      return { mapping, refusals: refusals.map(({ way: tried, error }) => `${tried}: ${error.message}`) }
    } catch (thrown) {
      options.signal.throwIfAborted()
      const error = asError(thrown)
      if (error.code !== 'MAPPING_FAILED') throw thrown
      refusals.push({ way, error })
    }
  }
  throw refusal(refusals.map(({ error }) => error))
}

function waysFor({ kind, only }: ChooseOptions): readonly Way[] {
  if (only !== undefined) return [only]
  const rooms: readonly Way[] = mayMount() ? ['root'] : ['b2', 'b1']
  return { auto: [...rooms, 'c'] as const, private: rooms, shared: ['c'] as const }[kind]
}

/** B1 helps where no descriptor can be taken from another process, and nowhere else. Nothing helps without the device. */
function isPointless(way: Way, reason: Reason | undefined): boolean {
  return reason === 'no fuse' || reason === 'device' || (way === 'b1' && reason !== 'ffi')
}

function refusal(errors: readonly NbtrunError[]): NbtrunError {
  const [first] = errors
  if (first === undefined) throw new TypeError('no way was tried')
  if (errors.length === 1) return first
  const hints = errors.flatMap(({ hint }) => hint ?? [])
  return new NbtrunError('MAPPING_FAILED', `the share cannot be mapped here: ${errors.map(({ message }) => message).join('; ')}`, {
    cause: first,
    facts: first.facts,
    ...(hints.length === 0 ? {} : { hint: hints.join('; or ') }),
  })
}
