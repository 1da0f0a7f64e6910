/** [MS-SMB2] 3.2.4.1.2 and 3.2.5.1.4: message ids and the credits that pay for them. One credit moves 64 KiB. */
const CREDIT_BYTES = 65_536

/** Enough for a dozen transfers of a MiB under way. */
const WANTED = 256

export class Credits {
  /** Without it every message costs one credit, moves at most 64 KiB, and says CreditCharge 0. */
  largeMtu = false
  #available = 1
  #inFlight = 0
  #nextMessageId: number

  constructor(firstMessageId = 0) {
    this.#nextMessageId = firstMessageId
  }

  /** What a message of this size costs: the larger of what is sent and what may come back. */
  charge(bytes: number): number {
    return this.largeMtu ? Math.max(1, Math.ceil(bytes / CREDIT_BYTES)) : 1
  }

  /** The most bytes that one request can move with what the server has granted so far. */
  get limitBytes(): number {
    return this.largeMtu ? CREDIT_BYTES * Math.max(1, this.#available + this.#inFlight) : CREDIT_BYTES
  }

  affords(charge: number): boolean {
    return charge <= this.#available
  }

  /** Pays for a message; returns its id and how many credits it should ask for. */
  spend(charge: number): { messageId: number; ask: number } {
    const messageId = this.#nextMessageId
    this.#nextMessageId += charge
    this.#available -= charge
    this.#inFlight += charge
    const ask = Math.min(0xffff, charge + Math.max(0, WANTED - this.#available - this.#inFlight))
    return { messageId, ask }
  }

  /** The message spent last was not sent after all. */
  unspend(charge: number): void {
    this.#nextMessageId -= charge
    this.#available += charge
    this.#inFlight -= charge
  }

  granted(credits: number): void {
    this.#available = Math.min(0xffff, this.#available + credits)
  }

  /** The message got its final answer. */
  settled(charge: number): void {
    this.#inFlight -= charge
  }
}
