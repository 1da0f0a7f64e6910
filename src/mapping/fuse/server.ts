import { asError, type NbtrunError } from '../../base/errors.ts'
import { deferred, within } from '../../base/time.ts'
import { Reader } from '../../base/wire.ts'
import type { Files } from '../../smb/files.ts'
import { ignoresCase } from './caseless.ts'
import { type Ask, Desk } from './desk.ts'
import { type Attach, type Device, MAX_WRITE } from './device.ts'
import { errnoName, errnoNumber } from './errno.ts'
import { markerOperations } from './marker.ts'
import { MARKER_ID } from './nodes.ts'
import { attributeOperations } from './operations-attributes.ts'
import { directoryOperations } from './operations-directories.ts'
import { fileOperations } from './operations-files.ts'
import { lockOperations } from './operations-locks.ts'
import { nameOperations } from './operations-names.ts'
import { INIT, INIT2, MAJOR, MINOR, OLDEST_MINOR, OP } from './protocol/constants.ts'
import { requestHeader } from './protocol/header.ts'
import { initReply, initRequest } from './protocol/init.ts'
import { batchForgetRequest, forgetRequest, interruptRequest } from './protocol/requests.ts'
import { type Operation, type Operations, Share } from './share.ts'

export interface FuseOptions {
  /** Of a mount: before it the kernel lets nobody read. It belongs to the server from now on. */
  readonly attach: Attach
  readonly files: Files
  /** Whom all files belong to. */
  readonly uid: number
  readonly gid: number
  readonly readOnly: boolean
  /** Other users may write, too: false unless told. */
  readonly forAll?: boolean
  /** How long a request may take before its program gets ETIMEDOUT. Waiting for a lock may take for ever. */
  readonly timeoutMs?: number
  /** What no program could be told: a close that failed, a lock that was lost. */
  readonly onWarning?: (message: string) => void
  /** What a program was told as an errno that says too little: a server that did not answer in time, or answered nonsense. */
  readonly onFailure?: (error: NbtrunError) => void
  /** One line per answered request. */
  readonly trace?: (line: string) => void
}

export interface FuseServer {
  /** The mount is no more, or `close` was called, and all that was open on the server has been closed there, as far as it answered. Never rejects. */
  readonly gone: Promise<void>
  readonly counters: { readonly bytesRead: number; readonly bytesWritten: number }
  /** Paths of open files below the share, with slashes. */
  openFiles(): string[]
  /** From then on every directory has the entry by which Wine knows that names are compared without case, where the server does compare them so. */
  mark(): Promise<void>
  /** Closes what is open, then the device, under whoever still uses it: ENOTCONN from now on. The signal cuts the closing short. */
  close(signal?: AbortSignal): Promise<void>
}

const TIMEOUT_MS = 20_000

/** Operations that the kernel stops asking for once it heard ENOSYS stay out of this table. */
const REFUSED: readonly (readonly [number, 'EPERM' | 'EINVAL' | 'EOPNOTSUPP'])[] = [
  [OP.SYMLINK, 'EPERM'],
  [OP.LINK, 'EPERM'],
  [OP.READLINK, 'EINVAL'],
  [OP.TMPFILE, 'EOPNOTSUPP'],
]

/** Requests that leave nothing behind: the end waits for the others, but not for answers to these. */
const QUESTIONS = new Set<number>([OP.LOOKUP, OP.GETATTR, OP.READ, OP.READDIR, OP.READDIRPLUS, OP.STATFS, OP.ACCESS])

const WANTED =
  INIT.ASYNC_READ |
  INIT.POSIX_LOCKS |
  INIT.ATOMIC_O_TRUNC |
  INIT.BIG_WRITES |
  INIT.FLOCK_LOCKS |
  INIT.DO_READDIRPLUS |
  INIT.READDIRPLUS_AUTO |
  INIT.ASYNC_DIO |
  INIT.PARALLEL_DIROPS |
  INIT.ABORT_ERROR |
  INIT.MAX_PAGES |
  INIT.INIT_EXT

/** Serves a share to the kernel over a descriptor of /dev/fuse, until its mount ends. */
export function serveFuse(options: FuseOptions): FuseServer {
  const { files, uid, gid, readOnly, forAll = false, timeoutMs = TIMEOUT_MS, onWarning = () => {}, onFailure = () => {} } = options
  const share = new Share(files, { uid, gid, readOnly, forAll }, onWarning)
  const desk = new Desk(timeoutMs, { late: onFailure, trace: options.trace })
  const hurried = deferred<void>()
  const gone = deferred<void>()
  let ending: Promise<void> | undefined
  let running = 0 // but for QUESTIONS
  let idle = deferred<void>()

  const operations: Operations = {
    ...Object.fromEntries(REFUSED.map(([opcode, errno]): [number, Operation] => [opcode, ask => ask.fail(errno)])),
    ...nameOperations(share),
    ...attributeOperations(share),
    ...fileOperations(share, () => device),
    ...directoryOperations(share),
    ...lockOperations(share),
    [OP.INIT]: init,
    [OP.DESTROY]: ask => ask.done(),
    [OP.INTERRUPT]: (ask, r) => desk.interrupt(interruptRequest.get(r), ask),
  }

  const ofMarker = markerOperations(share)

  const device: Device = options.attach({
    message,
    refused: length => onWarning(`the kernel refused a reply of ${length} bytes`),
    end: why => {
      if (why !== undefined) onWarning(`${files.label}: ${why}`)
      void end()
    },
  })
  desk.attach(device)

  function message(bytes: Buffer): void {
    const r = new Reader(bytes)
    const header = requestHeader.get(r)
    const { opcode, unique, nodeId } = header
    if (opcode === OP.FORGET) return share.nodes.forgetId(nodeId, forgetRequest.get(r))
    if (opcode === OP.BATCH_FORGET) {
      for (const forget of batchForgetRequest.get(r)) share.nodes.forgetId(forget.nodeId, forget.lookups)
      return
    }
    const operation = (nodeId === MARKER_ID ? ofMarker[opcode] : undefined) ?? operations[opcode]
    if (ending !== undefined || operation === undefined) return desk.send(unique, errnoNumber(ending === undefined ? 'ENOSYS' : 'ENOTCONN'))
    void run(operation, desk.begin(header), r)
  }

  async function run(operation: Operation, ask: Ask, r: Reader): Promise<void> {
    const counts = !QUESTIONS.has(ask.header.opcode)
    if (counts) running++
    try {
      await operation(ask, r)
    } catch (thrown) {
      ask.fail(errnoName(thrown))
      const error = asError(thrown)
      if (error.code === 'INTERNAL') onWarning(error.line)
      if (error.code === 'TIMED_OUT' || error.code === 'WIRE') onFailure(error)
    }
    if (counts && --running === 0) {
      idle.resolve()
      idle = deferred()
    }
  }

  async function drain(): Promise<void> {
    await share.handles.releaseAll()
    while (running > 0) await idle.promise
  }

  function end(): Promise<void> {
    ending ??= (async () => {
      desk.endAll('ENOTCONN')
      try {
        await within(timeoutMs, () => Promise.race([drain(), hurried.promise]), `closing the files of ${files.label}`)
      } catch (error) {
        share.handles.late(asError(error))
      }
      device.close()
      gone.resolve()
    })()
    return ending
  }

  return {
    gone: gone.promise,
    counters: share.counters,
    openFiles: () => share.handles.files.map(({ node }) => share.nodes.shown(node)),
    mark: async () => {
      share.marked = await ignoresCase(files).catch(() => false)
    },
    close: async signal => {
      if (signal?.aborted === true) hurried.resolve()
      signal?.addEventListener('abort', () => hurried.resolve(), { once: true })
      await end()
    },
  }
}

/** A kernel with a later major version is told ours and asks again. */
function init(ask: Ask, r: Reader): void {
  const kernel = initRequest.get(r)
  if (kernel.major < MAJOR || (kernel.major === MAJOR && kernel.minor < OLDEST_MINOR)) return ask.fail('EPROTO')
  ask.answer(initReply, {
    major: MAJOR,
    minor: kernel.major > MAJOR ? MINOR : Math.min(MINOR, kernel.minor),
    maxReadahead: kernel.maxReadahead,
    flags: (kernel.flags & WANTED) >>> 0,
    maxBackground: 64,
    congestionThreshold: 48,
    maxWrite: MAX_WRITE,
    timeGranularity: 100,
    maxPages: MAX_WRITE / 4096,
    flags2: kernel.flags2 & INIT2.DIRECT_IO_ALLOW_MMAP,
  })
}
