import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** Signals that end nobody who does not handle them, signal(7). */
const HARMLESS = ['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const
let harmless: bigint | undefined

/**
 * Whether a signal waits that will end this thread's process: pending, not blocked, neither caught nor ignored, and deadly by default.
 * A thread that is gone counts as dying.
 */
export function isDying(tid: number): boolean {
  let status: string
  try {
    status = readFileSync(`/proc/${tid}/status`, 'latin1')
  } catch {
    return true
  }
  harmless ??= HARMLESS.reduce((all, name) => all | (1n << BigInt(constants.signals[name] - 1)), 0n)
  const bits = (field: string): bigint => BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`)
  return ((bits('SigPnd') | bits('ShdPnd')) & ~(bits('SigBlk') | bits('SigIgn') | bits('SigCgt') | harmless)) !== 0n
}
