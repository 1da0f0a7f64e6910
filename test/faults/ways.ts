import type { User } from '../lab/index.ts'

/** Who runs nbtrun, and how it makes the share visible. */
export interface FaultWay {
  readonly user: User | 'root'
  /** What NBTRUN_TEST_WAY names; undefined where nothing is mapped. */
  readonly maps: 'b2' | 'b1' | 'c' | 'root' | undefined
  readonly legend: string
  /** How often each cell is tried unless told: the one that ordinary users have more often than the others. */
  readonly times: number
}

export const WAYS = {
  b2: { user: 'alice', maps: 'b2', legend: 'an ordinary user, private', times: 20 },
  b1: { user: 'alice', maps: 'b1', legend: 'an ordinary user, private, through a relay', times: 3 },
  root: { user: 'root', maps: 'root', legend: 'root, private', times: 3 },
  c: { user: 'alice', maps: 'c', legend: 'an ordinary user, shared', times: 3 },
  'root-c': { user: 'root', maps: 'c', legend: 'root, shared', times: 3 },
  none: { user: 'alice', maps: undefined, legend: 'an ordinary user, nothing mapped', times: 3 },
} as const satisfies Record<string, FaultWay>

export type FaultWayName = keyof typeof WAYS
