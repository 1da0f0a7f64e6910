/** [MS-SMB2] 3.2.4.1.2, 3.2.4.1.5 and 3.2.5.1.4: message ids and the credits that pay for them. One credit moves 64 KiB. */
const CREDIT_BYTES = 65_536

/** What requests under way may move together, in either direction: with what the socket holds, this bounds the memory of a connection. */
export const MAX_UNDER_WAY = 32 * 1024 * 1024

/** The most that one request moves. */
const MAX_REQUEST = 8 * 1024 * 1024

/** Enough for all that may be under way. */
const WANTED = MAX_UNDER_WAY / CREDIT_BYTES

export class Credits {
  /** Connection.SupportsMultiCredit: whether one request may cost, and move, more than one credit's worth. */
  largeMtu = false
  #available = 1
  #underWay = 0
  #bytesUnderWay = 0
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
    if (!this.largeMtu) return CREDIT_BYTES
    return Math.min(MAX_REQUEST, CREDIT_BYTES * Math.max(1, this.#available + this.#underWay))
  }

  affords(charge: number, bytes: number): boolean {
    return charge <= this.#available && (bytes === 0 || this.#bytesUnderWay === 0 || bytes <= MAX_UNDER_WAY - this.#bytesUnderWay)
  }

  /** Pays for a frame; returns its first message id and how many credits it should ask for. */
  spend(charge: number, bytes: number): { messageId: number; ask: number } {
    const messageId = this.#nextMessageId
    this.#nextMessageId += charge
    this.#available -= charge
    this.#underWay += charge
    this.#bytesUnderWay += bytes
    const ask = Math.min(0xffff, charge + Math.max(0, WANTED - this.#available - this.#underWay))
    return { messageId, ask }
  }

  /** The frame spent last was not sent after all. */
  unspend(charge: number, bytes: number): void {
    this.#nextMessageId -= charge
    this.#available += charge
    this.settled(charge, bytes)
  }

  granted(credits: number): void {
    this.#available = Math.min(0xffff, this.#available + credits)
  }

  /** A message got its final answer, or none is waited for any longer. An interim answer settles the charge alone: it has brought the credits back. */
  settled(charge: number, bytes: number): void {
    this.#underWay -= charge
    this.#bytesUnderWay -= bytes
  }
}
