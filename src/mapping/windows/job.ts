import { deferred } from '../../base/time.ts'
import type { Koffi } from './native.ts'
import { WindowsError } from './network.ts'

// winnt.h
const JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
const JobObjectBasicAccountingInformation = 1
const JobObjectBasicProcessIdList = 3
const JobObjectAssociateCompletionPortInformation = 7
const JobObjectExtendedLimitInformation = 9
const JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO = 4
/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION on 64 bits, and where LimitFlags is in it. */
const LIMITS = { size: 144, flags: 16 } as const
/** JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, and where ActiveProcesses is in it. */
const ACCOUNTING = { size: 48, active: 40 } as const
const MOST_PIDS = 4096

/** A message of a job may get lost, says its documentation: then the job is looked at, ms. */
const LOOK_MS = 500

/**
 * A job object: whoever is in it cannot leave it, and those they start are in it from their beginning. Should nbtrun die, Windows closes its handle, which
 * ends all of them.
 */
export class Job {
  /** Resolves when the last process is gone, after there was one; or when it was released. */
  readonly empty: Promise<void>
  readonly #resolve: () => void
  readonly #api: ReturnType<typeof functions>
  readonly #job: bigint
  readonly #port: bigint
  /** Told of each message: a process came or went. */
  #listener: () => boolean = () => true
  #state: 'new' | 'watched' | 'released' = 'new'

  constructor(koffi: Koffi) {
    this.#api = functions(koffi)
    this.#job = this.#api.create()
    this.#port = this.#api.port()
    this.#api.limit(this.#job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)
    this.#api.associate(this.#job, this.#port)
    const { promise, resolve } = deferred<void>()
    this.empty = promise
    this.#resolve = () => resolve()
  }

  /** Puts a process in that does not run yet. `changed`: called whenever one came or went; says whether this one is over. */
  admit(process: bigint, changed: () => boolean): void {
    this.#api.assign(this.#job, process)
    this.#listener = changed
    if (this.#state === 'new') {
      this.#state = 'watched'
      void this.#watch()
    }
  }

  pids(): readonly number[] {
    return this.#state === 'released' ? [] : this.#api.pids(this.#job)
  }

  /** Ends all who are in it. */
  terminate(): void {
    if (this.#state !== 'released') this.#api.terminate(this.#job)
  }

  /** Whoever is in it lives on; idempotent. */
  release(): void {
    if (this.#state === 'watched') {
      this.#state = 'released'
      this.#api.limit(this.#job, 0)
      this.#api.wake(this.#port)
    } else if (this.#state === 'new') {
      this.#state = 'released'
      this.#close()
    }
  }

  async #watch(): Promise<void> {
    for (;;) {
      const message = await this.#api.message(this.#port, LOOK_MS)
      if (this.#state === 'released') break
      const isOver = this.#listener() // a job may have nobody in it a moment before that is so
      if (isOver && (message === JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO || message === undefined) && this.#api.active(this.#job) === 0) break
    }
    this.#state = 'released'
    this.#close()
  }

  #close(): void {
    this.#resolve()
    this.#api.close(this.#job)
    this.#api.close(this.#port)
  }
}

function functions(koffi: Koffi) {
  const kernel = koffi.load('kernel32.dll')
  const lastError = kernel.func('uint32_t GetLastError()')
  const createJob = kernel.func('int64_t CreateJobObjectW(void *security, void *name)')
  const createPort = kernel.func('int64_t CreateIoCompletionPort(int64_t file, int64_t port, uint64_t key, uint32_t threads)')
  const set = kernel.func('int SetInformationJobObject(int64_t job, int kind, void *information, uint32_t length)')
  const query = kernel.func('int QueryInformationJobObject(int64_t job, int kind, void *information, uint32_t length, void *returned)')
  const assign = kernel.func('int AssignProcessToJobObject(int64_t job, int64_t process)')
  const terminate = kernel.func('int TerminateJobObject(int64_t job, uint32_t code)')
  const status = kernel.func('int GetQueuedCompletionStatus(int64_t port, void *bytes, void *key, void *overlapped, uint32_t milliseconds)')
  const post = kernel.func('int PostQueuedCompletionStatus(int64_t port, uint32_t bytes, uint64_t key, void *overlapped)')
  const close = kernel.func('int CloseHandle(int64_t handle)')
  const check = <T>(result: T, name: string): T => {
    if (Number(result) === 0) throw new WindowsError(Number(lastError()), name)
    return result
  }
  return {
    create: (): bigint => BigInt(check(createJob(null, null) as number, 'CreateJobObject')),
    port: (): bigint => BigInt(check(createPort(-1, 0, 0, 1) as number, 'CreateIoCompletionPort')),
    limit(job: bigint, flags: number): void {
      const limits = Buffer.alloc(LIMITS.size)
      limits.writeUInt32LE(flags, LIMITS.flags)
      check(set(job, JobObjectExtendedLimitInformation, limits, limits.length), 'SetInformationJobObject')
    },
    associate(job: bigint, port: bigint): void {
      const both = Buffer.alloc(16) // a key, and the port
      both.writeBigInt64LE(port, 8)
      check(set(job, JobObjectAssociateCompletionPortInformation, both, both.length), 'SetInformationJobObject')
    },
    assign: (job: bigint, process: bigint): void => void check(assign(job, process), 'AssignProcessToJobObject'),
    terminate: (job: bigint): void => void terminate(job, 1),
    active(job: bigint): number {
      const accounting = Buffer.alloc(ACCOUNTING.size)
      check(query(job, JobObjectBasicAccountingInformation, accounting, accounting.length, null), 'QueryInformationJobObject')
      return accounting.readUInt32LE(ACCOUNTING.active)
    },
    pids(job: bigint): number[] {
      const list = Buffer.alloc(8 + 8 * MOST_PIDS) // how many there are, how many are listed, then each in 64 bits
      query(job, JobObjectBasicProcessIdList, list, list.length, null)
      return Array.from({ length: Math.min(MOST_PIDS, list.readUInt32LE(4)) }, (_, i) => Number(list.readBigUInt64LE(8 + 8 * i)))
    },
    /** The next message of the job; undefined where none came in time. Waits off the main thread. */
    message: (port: bigint, ms: number): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const [bytes, key, overlapped] = [Buffer.alloc(4), Buffer.alloc(8), Buffer.alloc(8)]
        status.async(port, bytes, key, overlapped, ms, (error: Error | null, ok: number) => {
          key.fill(0) // and so it was kept until now, as was the next
          overlapped.fill(0)
          if (error !== null) reject(error)
          else resolve(ok === 0 ? undefined : bytes.readUInt32LE(0))
        })
      }),
    wake: (port: bigint): void => void post(port, 0, 0, null),
    close: (handle: bigint): void => void close(handle),
  }
}
