/** How often and how long nodes ask: RFC 1002 section 6. All in ms. */
export interface NameTimes {
  readonly broadcastTries: number
  readonly broadcastMs: number
  readonly unicastTries: number
  readonly unicastMs: number
  /** Bounds of the time that a wait acknowledgement may ask for. */
  readonly wackLeastMs: number
  readonly wackMostMs: number
  /** How long after an answer to a broadcast a second, different one is looked out for. */
  readonly conflictMs: number
  /** A node status comes from the node itself, which needs no time. */
  readonly statusTries: number
  readonly statusMs: number
}

export const RFC_TIMES: NameTimes = {
  broadcastTries: 3,
  broadcastMs: 250,
  unicastTries: 3,
  unicastMs: 5000,
  wackLeastMs: 9000,
  wackMostMs: 105_000,
  conflictMs: 1000,
  statusTries: 3,
  statusMs: 600,
}

/** For people who wait: name servers are asked as Windows asks them, three times 1.5 s; what RFC 1002 allows is for machines that start. */
export const BRISK_TIMES: Partial<NameTimes> = { unicastMs: 1500 }
