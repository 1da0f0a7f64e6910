import { constants } from 'node:os'
import type { Lab } from '../lab/index.ts'
import { fill, noMoreDescriptors, signalServer } from './inflict.ts'
import type { Place } from './places.ts'
import { refusedDescriptors } from './refusals.ts'
import type { Relay } from './relay.ts'
import type { FaultWay } from './ways.ts'

/** A run that is where something shall happen to it. */
export interface Stage {
  readonly lab: Lab
  readonly relay: Relay
  /** Of nbtrun. */
  readonly pid: number
  /** Of the program, once there is one. */
  readonly program: number | undefined
  /** Of this try of the cell, from 0. */
  readonly round: number
  /** The small disk, where there is one. */
  readonly disk: Disk | undefined
}

/** A small disk of its own, for a folder of a host. */
export interface Disk {
  readonly host: 'client1' | 'srv'
  readonly path: string
}

/** How nbtrun may end, and what it may say. */
export interface Expected {
  /** Exit codes, or the signal that it dies of. */
  readonly ends: readonly (number | NodeJS.Signals)[]
  /** All of stderr: at most one line, unless told otherwise. */
  readonly says: RegExp
  /** Every goodbye was answered, so that nothing is left for anybody to give back. */
  readonly acknowledged?: boolean
  /** The server is not told that the connection is gone. */
  readonly silent?: boolean
}

/** Asked when the run is over: why it cannot be said that the fault happened to it; undefined where it did. */
export type Proof = () => string | undefined | Promise<string | undefined>

export interface Fault {
  readonly hits: 'nbtrun' | 'program' | 'server' | 'machine'
  readonly legend: string
  /** What the program does differently. */
  readonly variant?: 'deaf' | 'daemon'
  readonly options?: readonly string[]
  /** What is on a small disk of its own. */
  readonly ownDisk?: 'journal' | 'share'
  /** Why it cannot happen there. */
  readonly impossible?: (place: Place, way: FaultWay) => string | undefined
  /** It happens. Resolves when it has, to the proof where only the run's end gives one. */
  readonly happens: (stage: Stage) => Proof | void | Promise<Proof | void>
  /** What was held stays so. */
  readonly keeps?: boolean
  /** Ends what would last: called once the run is over, or shall be. */
  readonly ends?: (stage: Stage) => void | Promise<void>
  readonly expected: (place: Place, way: FaultWay) => Expected
}

/** The program's own exit code, and the one that it has when the share fails it. */
export const PROGRAM = { well: 3, failed: 7 } as const

const SILENT = /^$/
const ONE_LINE = /^nbtrun: [^\n]+\n$/
const ONE_OR_TWO = /^(nbtrun: [^\n]+\n){1,2}$/
/** On a machine that is busy with other things a step of the end may take longer than its limit. */
const LATE_AT_MOST = /^(nbtrun: [^\n]+ took longer than [^\n]+ \[TEARDOWN_FAILED\]\n)?$/
const NO_DESCRIPTOR = /^nbtrun: too many files are open \(EMFILE\); [^\n]*ulimit -n [^\n]* \[OUT_OF_DESCRIPTORS\]\n$/
const AT_MOST_TWO = /^(nbtrun: [^\n]+\n){0,2}$/

/** Reads a file that the share's server, or the network, fails: not the one that has no share. */
const failing = ({ maps }: FaultWay): number => (maps === undefined ? PROGRAM.well : PROGRAM.failed)

const signalled = (signal: NodeJS.Signals): Fault => ({
  hits: 'nbtrun',
  legend: `nbtrun gets ${signal}`,
  happens: ({ pid }) => void process.kill(pid, signal),
  expected: ({ moment }) => {
    const name = signal.replace('SIG', '')
    if (moment === 'before') return { ends: [128 + constants.signals[signal]], says: new RegExp(`^nbtrun: [^\\n]*cancelled by SIG${name}[^\\n]*\\n$`) }
    return { ends: [moment === 'running' ? signal : PROGRAM.well], says: SILENT, acknowledged: true }
  },
})

const programGets = (signal: NodeJS.Signals, legend: string): Fault => ({
  hits: 'program',
  legend,
  happens: ({ program }) => void process.kill(program!, signal),
  expected: () => ({ ends: [128 + constants.signals[signal]], says: SILENT, acknowledged: true }),
})

/** The server, or the way to it, is of no use any more. */
const uselessServer = ({ moment }: Place, way: FaultWay): Expected => {
  if (moment === 'before') return { ends: [125], says: ONE_LINE }
  // of the connection or of a file that the program left open, and of the goodbyes
  return { ends: [moment === 'running' ? failing(way) : PROGRAM.well], says: AT_MOST_TWO }
}

const isConnected = ({ told }: Place): boolean => told.join() !== 'requested'

/** A connection is of no use any more, and a new one can be had: by whoever has a seat, or is past needing one. */
const uselessConnection = (place: Place): Expected =>
  isConnected(place)
    ? { ends: [PROGRAM.well], says: LATE_AT_MOST }
    : { ends: [125], says: /^nbtrun: connection to [^\n]* lost: ECONNRESET [^\n]*\[CONNECTION_LOST\]\n$/ }

/** An answer that was changed on the way ends the connection for good. */
const spoiltAnswer = ({ moment, unmapped }: Place, way: FaultWay): Expected => {
  if (moment === 'before') return { ends: [125], says: /^nbtrun: [^\n]+ \[(WIRE|BAD_SIGNATURE)\]\n$/ }
  // what reads and writes nothing meets it in its goodbyes
  if (moment === 'after' || way.maps === undefined) return { ends: [PROGRAM.well], says: unmapped === true ? ONE_LINE : ONE_OR_TWO }
  return {
    ends: [PROGRAM.failed],
    says: /^nbtrun: the connection to [^\n]+ is lost: [^\n]+ \[(WIRE|BAD_SIGNATURE)\]\n(nbtrun: [^\n]+ \[TEARDOWN_FAILED\]\n)?$/,
  }
}

/** Of a private mapping the kernel tells when nobody has it any more; else nbtrun looks for them in /proc, and takes a shared one away itself. */
const looksForUsers = ({ moment, unmapped }: Place, { maps }: FaultWay): boolean =>
  (maps === 'c' && unmapped !== true) || (maps === undefined && moment === 'running')

/** Spoilt in a bit, in its first bytes, in its length, in all. [MS-SMB2] 2.2.1: 64 bytes of header. */
const GARBLES: readonly ((frame: Buffer) => Buffer)[] = [
  frame => ((frame[frame.length - 1]! ^= 0x10), frame),
  frame => (frame.fill(0x2a, 0, 4), frame),
  frame => frame.subarray(0, 40),
  frame => frame.fill(0xff, 4),
]

export const FAULTS = {
  INT: signalled('SIGINT'),
  TERM: signalled('SIGTERM'),
  HUP: signalled('SIGHUP'),
  QUIT: signalled('SIGQUIT'),
  KILL: {
    hits: 'nbtrun',
    legend: 'nbtrun gets SIGKILL; its session falls, and nbtrun reap comes after it',
    happens: ({ pid }) => void process.kill(pid, 'SIGKILL'),
    expected: () => ({ ends: ['SIGKILL'], says: SILENT }),
  },
  crash: programGets('SIGSEGV', 'the program crashes (SIGSEGV)'),
  killed: programGets('SIGKILL', 'the program is killed (SIGKILL)'),
  daemon: {
    hits: 'program',
    legend: 'the program leaves a daemon behind, which goes on for a moment',
    variant: 'daemon',
    happens: () => {}, // it has, before this place
    expected: () => ({ ends: [PROGRAM.well], says: SILENT, acknowledged: true }),
  },
  deaf: {
    hits: 'program',
    legend: 'the program ignores TERM when its --time-limit is over',
    variant: 'deaf',
    options: ['--time-limit', '5s', '--kill-after', '300ms'],
    happens: () => {}, // time does
    expected: () => ({ ends: [124], says: /^nbtrun: works is being ended: [^\n]+\n$/, acknowledged: true }),
  },
  'srv killed': {
    hits: 'server',
    legend: 'smbd and all its processes get SIGKILL',
    happens: ({ lab }) => lab.stopSmbd('srv', 'SIGKILL'),
    ends: ({ lab }) => lab.startSmbd('srv'),
    expected: uselessServer,
  },
  frozen: {
    hits: 'server',
    legend: 'smbd and all its processes are stopped (SIGSTOP)',
    happens: ({ lab }) => signalServer(lab, 'SIGSTOP'),
    ends: ({ lab }) => signalServer(lab, 'SIGCONT'),
    expected: uselessServer,
  },
  cut: {
    hits: 'server',
    legend: "the client's cable is pulled",
    happens: ({ lab }) => lab.link('client1', 'down'),
    keeps: true,
    ends: ({ lab, relay }) => {
      lab.link('client1', 'up')
      relay.release()
    },
    expected: (place, way) => ({ ...uselessServer(place, way), silent: true }),
  },
  RST: {
    hits: 'server',
    legend: 'both sides of the connection get RST',
    impossible: ({ holds, told }) => (holds === undefined && told.join() === 'requested' ? 'there is no connection yet' : undefined),
    happens: ({ relay }) => {
      const count = relay.reset()
      return () => (count > 0 ? undefined : 'there was no connection')
    },
    expected: uselessConnection,
  },
  garbled: {
    hits: 'server',
    legend: "the server's next answer is spoilt: in a bit, at its head, in its length, in all, by turns",
    happens: ({ relay, round }) => {
      relay.spoil(GARBLES[round % GARBLES.length]!)
      return () => (relay.spoilt > 0 ? undefined : 'no answer came')
    },
    expected: spoiltAnswer,
  },
  disk: {
    hits: 'machine',
    legend: "the journal's disk is full",
    ownDisk: 'journal',
    happens: ({ lab, disk }) => fill(lab, disk!),
    expected: () => ({ ends: [PROGRAM.well], says: /^nbtrun: the journal cannot be written \(ENOSPC\)[^\n]+\n$/, acknowledged: true }),
  },
  full: {
    hits: 'machine',
    legend: "the share's disk is full: the program's writing fails, and nothing else",
    ownDisk: 'share',
    impossible: (_, { maps }) => (maps === undefined ? 'nothing is mapped, nor written to the share' : undefined),
    happens: ({ lab, disk }) => fill(lab, disk!),
    expected: ({ moment }) => ({ ends: [moment === 'after' ? PROGRAM.well : PROGRAM.failed], says: SILENT, acknowledged: true }),
  },
  fds: {
    hits: 'machine',
    legend: 'nbtrun has as many descriptors open as it may (prlimit --nofile)',
    impossible: (place, way) => (place.moment === 'before' || looksForUsers(place, way) ? undefined : 'nbtrun opens nothing any more'),
    happens: async ({ pid }) => {
      process.kill(pid, 'SIGSTOP') // it stays in this place until it is watched, which takes a while
      noMoreDescriptors(pid)
      const refused = await refusedDescriptors(pid).finally(() => process.kill(pid, 'SIGCONT'))
      return async () => ((await refused()).length > 0 ? undefined : 'nbtrun asked for no descriptor any more')
    },
    expected: ({ moment }) =>
      moment === 'before' ? { ends: [125], says: NO_DESCRIPTOR, acknowledged: true } : { ends: [PROGRAM.well], says: SILENT, acknowledged: true },
  },
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof FAULTS

/** Why there is no such cell; undefined where there is. */
export function impossible(place: Place, fault: Fault, way: FaultWay): string | undefined {
  if (way.maps === undefined && place.mapped === true) return 'nothing is mapped, nor read of the share'
  if (fault.hits === 'program' && place.moment !== 'running') return place.moment === 'before' ? 'there is no program yet' : 'the program is gone already'
  return fault.impossible?.(place, way)
}
