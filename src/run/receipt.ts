import type { Code } from '../base/errors.ts'
import type { Step } from '../base/scope.ts'
import { LOST } from '../smb/acquire.ts'
import type { Survivor } from './events.ts'

/** How a run ended on the wire: every server answered LOGOFF and closed; a step was cut off by its limit; or a connection was lost before. */
export type End = 'acknowledged' | 'forced' | 'lost' | 'nothing-held'

export interface ShareReceipt {
  /** `//srv/app`, with the folder below it, if one was named. */
  readonly share: string
  readonly server: string
  readonly address: string
  readonly foundBy: string
  /** `tcp:445`, `nbt:139`. */
  readonly transport: string
  /** The name under which the server was called on port 139: `FILES<20>`. */
  readonly calledName: string | null
  readonly dialect: string
  /** Null in guest and anonymous sessions only, which cannot sign. */
  readonly signing: string | null
  readonly guest: boolean
  readonly encryption: string | null
  readonly mapping: string
  readonly way: string
  readonly point: string | null
  /** The drive that it was to Windows programs: `P:`. */
  readonly drive: string | null
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** A NetBIOS name that the run held. */
export interface NameReceipt {
  /** `PAYROLL<20>` */
  readonly name: string
  /** Of this machine, under which it was found, the first one first. */
  readonly addresses: readonly string[]
  /** The name server that had it written down. */
  readonly server: string | null
  /** Whether it was claimed by broadcast. */
  readonly broadcast: boolean
  /** False where port 137 could not be had: whoever challenges it gets it. */
  readonly defended: boolean
  /** Who took it away before the run gave it back, and how. */
  readonly lost: string | null
}

export interface ProgramReceipt {
  readonly path: string
  readonly from: 'share' | 'path'
  readonly pid: number
  readonly exit: number | null
  readonly signal: string | null
  /** Whether `--time-limit` ended it. */
  readonly timedOut: boolean
}

/** What Wine had to do with the run. */
export interface WineReceipt {
  readonly prefix: string
  /** Whether its wineserver ran before; one that did sees shared mappings only. */
  readonly server: 'started' | 'running'
}

/** The record of a run. Readers ignore members they do not know; members are only ever added. */
export interface Receipt {
  readonly receipt: 1
  readonly run: string
  readonly program: ProgramReceipt | null
  readonly shares: readonly ShareReceipt[]
  /** Null where no Windows program was expected. */
  readonly wine: WineReceipt | null
  /** What `--hold-name` held. */
  readonly names: readonly NameReceipt[]
  /** Every acquisition and its undo, in the order in which they ended. */
  readonly steps: readonly Step[]
  /** How long the run waited until it had all shares, or gave up, ms; 0 without `--wait`. */
  readonly waitedMs: number
  /** How often it tried to get them. Only the steps of the last try are listed. */
  readonly attempts: number
  /** How often a lost connection was set up anew. */
  readonly reconnects: number
  /** From the beginning, or the end of the waiting, to the end of the teardown, ms. */
  readonly heldMs: number
  readonly graceMs: number
  /** What the teardown took, ms. */
  readonly releasedMs: number
  readonly end: End
  /** Whether the servers, asked afterwards, have no such session; null where they were not asked or it could not be found out. */
  readonly verified: boolean | null
  /** How that was found out, or why not; null where it was not asked for. */
  readonly verification: string | null
  /** Processes that still used the mapping when it was taken away. */
  readonly survivors: readonly Survivor[]
  readonly error: { readonly code: Code; readonly message: string } | null
  readonly warnings: readonly string[]
}

const GOODBYES = /^(LOGOFF|FIN)\b/

/** Judges the teardown by its steps: LOGOFF and FIN decide, as they free the seat. */
export function judge(steps: readonly Step[]): End {
  const goodbyes = steps.filter(s => s.phase === 'teardown' && GOODBYES.test(s.name))
  if (goodbyes.length === 0) return 'nothing-held'
  if (goodbyes.some(s => s.status === LOST)) return 'lost'
  return goodbyes.every(s => s.ok) ? 'acknowledged' : 'forced'
}
