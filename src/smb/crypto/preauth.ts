import { createHash } from 'node:crypto'

/**
 * Preauthentication integrity of dialect 3.1.1: every message of NEGOTIATE and SESSION_SETUP, requests and answers, is chained into one hash
 * from which the session's keys come. The successful SESSION_SETUP answer is left out. [MS-SMB2] 3.2.5.2 and 3.2.5.3.
 */
export class PreauthHash {
  #value: Buffer

  constructor(from: Buffer = Buffer.alloc(64)) {
    this.#value = from
  }

  get value(): Buffer {
    return this.#value
  }

  update(message: Uint8Array): void {
    this.#value = createHash('sha512').update(this.#value).update(message).digest()
  }

  /** Each session of a connection goes on from the connection's hash. */
  fork(): PreauthHash {
    return new PreauthHash(this.#value)
  }
}
