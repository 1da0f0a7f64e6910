/** RC4, which OpenSSL 3 no longer gives. One stream: each `apply` goes on where the last one stopped. */
export class Rc4 {
  readonly #state = new Uint8Array(256)
  #i = 0
  #j = 0

  constructor(key: Uint8Array) {
    const state = this.#state
    for (let i = 0; i < 256; i++) state[i] = i
    for (let i = 0, j = 0; i < 256; i++) {
      j = (j + state[i]! + key[i % key.length]!) & 0xff
      swap(state, i, j)
    }
  }

  /** Encrypts or decrypts, which is the same, into a new buffer. */
  apply(data: Uint8Array): Buffer {
    const state = this.#state
    const out = Buffer.allocUnsafe(data.length)
    for (let n = 0; n < data.length; n++) {
      this.#i = (this.#i + 1) & 0xff
      this.#j = (this.#j + state[this.#i]!) & 0xff
      swap(state, this.#i, this.#j)
      out[n] = data[n]! ^ state[(state[this.#i]! + state[this.#j]!) & 0xff]!
    }
    return out
  }

  wipe(): void {
    this.#state.fill(0)
  }
}

function swap(state: Uint8Array, i: number, j: number): void {
  const kept = state[i]!
  state[i] = state[j]!
  state[j] = kept
}
