import type { Published } from '../../src/run/published.ts'
import { closeOfWritten, type Matcher, nth } from './relay.ts'

type EventType = Published['type']

/** Where in the life of a run something happens to it. */
export interface Place {
  /** Before there is a program; while it runs; after it has ended. */
  readonly moment: 'before' | 'running' | 'after'
  /** The packet of the client's that is held meanwhile. Where none is named, the run waits there by itself. */
  readonly holds?: () => Matcher
  /** The run's events say that it is there: these were told, and these not yet. */
  readonly told: readonly EventType[]
  readonly untold: readonly EventType[]
  /** What the program does first: write to the share, or wait for a word. */
  readonly program: 'busy' | 'idle'
  readonly grace?: string
  /** It is a part of what a mapping does, or of what a program does with it. */
  readonly mapped?: true
  /** The mapping has ended already. */
  readonly unmapped?: true
}

const NOT_YET: readonly EventType[] = ['denied', 'returned']

export const PLACES = {
  connect: { moment: 'before', told: ['requested'], untold: ['obtained', ...NOT_YET], program: 'busy' },
  login: { moment: 'before', holds: () => nth('SESSION_SETUP', 2), told: ['requested'], untold: ['obtained', ...NOT_YET], program: 'busy' },
  tree: { moment: 'before', holds: () => nth('TREE_CONNECT', 2), told: ['requested'], untold: ['obtained', ...NOT_YET], program: 'busy' },
  // the first look at the share is the mapping's
  mapping: { moment: 'before', holds: () => nth('CREATE', 1), told: ['obtained'], untold: ['mapped', ...NOT_YET], program: 'busy', mapped: true },
  // the first bytes of the program decide how it is started
  spawn: { moment: 'before', holds: () => nth('READ', 1), told: ['mapped'], untold: ['launched', ...NOT_YET], program: 'busy', mapped: true },
  io: { moment: 'running', holds: () => nth('WRITE', 1), told: ['launched'], untold: ['quit', ...NOT_YET], program: 'busy', mapped: true },
  idle: { moment: 'running', told: ['launched'], untold: ['quit', ...NOT_YET], program: 'idle' },
  grace: { moment: 'after', told: ['quit', 'lingering'], untold: NOT_YET, program: 'busy', grace: '3s' },
  // the program has left a file open, which the end of the mapping closes
  unmap: { moment: 'after', holds: closeOfWritten, told: ['quit'], untold: ['lingering', ...NOT_YET], program: 'busy', mapped: true },
  untree: { moment: 'after', holds: () => nth('TREE_DISCONNECT', 1), told: ['quit'], untold: NOT_YET, program: 'busy', unmapped: true },
  logoff: { moment: 'after', holds: () => nth('LOGOFF', 1), told: ['quit'], untold: NOT_YET, program: 'busy', unmapped: true },
} as const satisfies Record<string, Place>

export type PlaceName = keyof typeof PLACES

/** For the legend. */
export const PLACE_LEGEND: Readonly<Record<PlaceName, string>> = {
  connect: 'before connect: the cable is out, and the first packet of TCP is on its way',
  login: 'during login: the second SESSION_SETUP is held',
  tree: 'tree connect: TREE_CONNECT of the share is held',
  mapping: "mapping: the mapping's first look at the share is held",
  spawn: "spawn: the first look into the program's file is held",
  io: "program running with I/O: the program's first WRITE is held",
  idle: 'idle: the program waits for a word, and has no file in use',
  grace: 'grace: the program is gone, and --grace runs',
  unmap: 'end of the mapping: CLOSE of a file that the program left open is held',
  untree: 'TREE_DISCONNECT of the share is held',
  logoff: 'LOGOFF is held',
}
