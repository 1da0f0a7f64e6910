import { asError } from '../../base/errors.ts'
import { decode } from '../../base/wire.ts'
import type { FileInfo, OpenFile, OpenOptions } from '../files.ts'
import { infoOf, openingRequest } from './open.ts'
import type { Call, Reply } from './call.ts'
import { createRequest, createResponse } from './create.ts'
import { closeRequest } from './io.ts'
import { ALREADY_GONE, refused, STATUS } from '../status.ts'
import { withOpen } from '../with-open.ts'
import type { Step } from './steps.ts'

/** In a related request: the file of the request before. [MS-SMB2] 3.2.4.1.4. */
const SAME_FILE = Buffer.alloc(16, 0xff)

/**
 * What a server says of a request that it does not do within a compound: one that it could only answer later ([MS-SMB2] 3.3.5.2.7; Samba: a rename
 * that waits for somebody's lease), or any, taking the FileId by its word.
 */
const NOT_IN_A_COMPOUND = new Set([STATUS.CANCELLED, STATUS.INTERNAL_ERROR, STATUS.INVALID_HANDLE, STATUS.FILE_CLOSED])

/** What a visit needs of its tree. */
export interface Ground {
  /** A path as shown to people. */
  labelOf(path: string): string
  /** Whether a frame of that many small requests would go out at once. */
  affords(requests: number): boolean
  requestAll(calls: readonly Call<unknown>[], options: { readonly related: boolean }): Promise<Reply>[]
  /** Also while the tree is closing. */
  farewellRequest<T>(call: Call<T>): Promise<Reply>
  open(path: string, options: OpenOptions): Promise<OpenFile & { take<R>(step: Step<R>): Promise<R> }>
}

/** What opening a file told, and what each step on it came to. */
export interface Visited<T> {
  readonly info: FileInfo
  readonly values: T
}

/** One for each value. */
export type Steps<T extends readonly unknown[]> = { readonly [K in keyof T]: Step<T[K]> }

/**
 * Opens, takes the steps, closes: in one round trip, as related requests of one frame. Where credits are short, or the server will not have it so, one
 * after the other. Nothing is left open when this settles.
 */
export async function visit<T extends readonly unknown[]>(tree: Ground, path: string, options: OpenOptions, ...steps: Steps<T>): Promise<Visited<T>> {
  if (tree.affords(steps.length + 2)) {
    const visited = await atOnce<T>(tree, path, options, steps)
    if (visited !== undefined) return visited
  }
  return withOpen(await tree.open(path, options), async open => {
    const values: unknown[] = []
    for (const step of steps) values.push(await open.take(step))
    return { info: open.info, values: values as unknown as T }
  })
}

/** Undefined when a step was refused for being in a compound. */
async function atOnce<T extends readonly unknown[]>(tree: Ground, path: string, options: OpenOptions, steps: Steps<T>): Promise<Visited<T> | undefined> {
  const label = tree.labelOf(path)
  const handle = new Handle(tree, label)
  const calls: Call<unknown>[] = [
    { command: 'CREATE', codec: createRequest, body: openingRequest(path, options), onLate: reply => handle.openedLate(reply) },
    ...steps.map(step => step.call(SAME_FILE)),
    { command: 'CLOSE', codec: closeRequest, body: { fileId: SAME_FILE }, onLate: reply => handle.answered(reply) },
  ]
  const answers = await Promise.allSettled(tree.requestAll(calls, { related: true }))

  const created = replyIn(answers[0])
  if (created.header.status !== STATUS.SUCCESS) throw refused(created.header.status, `opening ${label}`)
  const response = decode(createResponse, created.body)
  const failure = await handle.close(response.fileId, answers.at(-1))
  const replies = answers.slice(1, -1).map(replyIn)
  if (replies.some(({ header }) => NOT_IN_A_COMPOUND.has(header.status))) return undefined
  const values = steps.map((step, i) => step.result(replies[i]!, `${step.doing} ${label}`))
  if (failure !== undefined) throw asError(failure)
  return { info: infoOf(response), values: values as unknown as T }
}

/** Sees to it that what a compound opened is closed, by the compound's own CLOSE or by another one. */
class Handle {
  readonly #tree: Ground
  readonly #label: string
  /** Whether the CLOSE of the compound did it. */
  #closed = false

  constructor(tree: Ground, label: string) {
    this.#tree = tree
    this.#label = label
  }

  /** The compound's CLOSE was answered. FILE_CLOSED would not do: it may be said of the FileId of all ones. */
  answered({ header }: Reply): void {
    this.#closed = header.status === STATUS.SUCCESS
  }

  /** Opened after the deadline: nobody has it. The answer to CLOSE may stand behind this one in the same frame. */
  openedLate({ header, body }: Reply): void {
    if (header.status !== STATUS.SUCCESS) return
    const { fileId } = decode(createResponse, body)
    queueMicrotask(() => {
      if (!this.#closed) void this.#closeNow(fileId)
    })
  }

  /** Resolves to what it failed of. */
  async close(fileId: Buffer, last: PromiseSettledResult<Reply> | undefined): Promise<unknown> {
    if (last?.status === 'fulfilled') this.answered(last.value)
    if (this.#closed) return undefined
    const closing = this.#closeNow(fileId)
    return last?.status === 'rejected' ? (last.reason as unknown) : closing // the deadline has passed: nobody waits for another one
  }

  async #closeNow(fileId: Buffer): Promise<unknown> {
    try {
      const { header } = await this.#tree.farewellRequest({ command: 'CLOSE', codec: closeRequest, body: { fileId } })
      return header.status === STATUS.SUCCESS || ALREADY_GONE.has(header.status) ? undefined : refused(header.status, `closing ${this.#label}`)
    } catch (thrown) {
      return thrown
    }
  }
}

function replyIn(answer: PromiseSettledResult<Reply> | undefined): Reply {
  if (answer?.status !== 'fulfilled') throw answer?.reason
  return answer.value
}
