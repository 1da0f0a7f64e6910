import { readFileSync } from 'node:fs'
import type { NbtrunError } from '../../../../src/base/errors.ts'
import type { Transport } from '../../../../src/smb/transport.ts'

export interface Line {
  readonly from: 'C' | 'S'
  /** Without the 4-byte header of its frame. */
  readonly bytes: Buffer
}

/** A conversation of test/vectors. */
export function linesOf(name: string): readonly Line[] {
  const lines = JSON.parse(readFileSync(new URL(`../../../vectors/${name}.json`, import.meta.url), 'utf8')) as ['C' | 'S', string][]
  return lines.filter(([, hex]) => hex !== 'FIN').map(([from, hex]) => ({ from, bytes: Buffer.from(hex, 'hex').subarray(4) }))
}

/** Key and chance of `smb1_ntlmssp_signed`, which follow from the password of root. [live] smbclient 4.17 to smbd. */
export const SIGNED = {
  sessionKey: Buffer.from('d7c6493ffdf96b2e65ba1c01c5e3ed1a', 'hex'),
  clientChallenge: Buffer.from('913044a4b5095707', 'hex'),
} as const

const MID_AT = 30

/** Answers the n-th request with what the recorded server said to the n-th of the recorded client. */
export class Tape implements Transport {
  readonly kind = 'tcp'
  readonly port = 445
  readonly address = '192.0.2.1'
  readonly backlog = 0
  readonly heardAt = 0
  readonly sent: Buffer[] = []
  finished = false
  readonly #answers: Buffer[][] = []
  readonly #renumber: boolean
  #onFrame: (frame: Buffer) => void = () => {}
  #onEnd: (error: NbtrunError | undefined) => void = () => {}

  /** `renumber`: answers get the multiplex ids of our requests, which only unsigned ones can be given. */
  constructor(lines: readonly Line[], { renumber = false }: { renumber?: boolean } = {}) {
    this.#renumber = renumber
    for (const { from, bytes } of lines) {
      if (from === 'C') this.#answers.push([])
      else this.#answers.at(-1)!.push(Buffer.from(bytes))
    }
  }

  start(onFrame: (frame: Buffer) => void, onEnd: (error: NbtrunError | undefined) => void): void {
    this.#onFrame = onFrame
    this.#onEnd = onEnd
  }
  send(parts: readonly Buffer[]): void {
    const request = Buffer.concat(parts)
    this.sent.push(request)
    for (const frame of this.#answers[this.sent.length - 1] ?? []) {
      if (this.#renumber) request.copy(frame, MID_AT, MID_AT, MID_AT + 2)
      setImmediate(() => this.#onFrame(frame))
    }
  }
  keepAlive(): void {}
  async finish(): Promise<void> {
    this.finished = true
    this.#onEnd(undefined)
  }
  destroy(): void {
    this.finished = true
  }
}
