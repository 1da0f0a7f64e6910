import { transcode } from 'node:buffer'
import { NbtrunError } from '../../base/errors.ts'

/** Bytes that are as good as a password: one buffer, zeroed by `wipe`, never printed. */
export class Secret {
  #bytes: Buffer | undefined

  /** The buffer becomes the secret's own. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** A password as Windows sees it, UTF-16LE, from the UTF-8 bytes of a file or prompt, which are zeroed. */
  static fromUtf8(bytes: Buffer): Secret {
    const secret = new Secret(transcode(bytes, 'utf8', 'utf16le'))
    bytes.fill(0)
    return secret
  }

  /** From a string, which JavaScript cannot wipe: where bytes are at hand, take `fromUtf8`. */
  static fromText(text: string): Secret {
    return new Secret(Buffer.from(text, 'utf16le'))
  }

  /** A view, valid until `wipe`. Throws CLOSED afterwards. */
  get bytes(): Buffer {
    if (this.#bytes === undefined) throw new NbtrunError('CLOSED', 'the secret is wiped')
    return this.#bytes
  }

  wipe(): void {
    this.#bytes?.fill(0)
    this.#bytes = undefined
  }
}
