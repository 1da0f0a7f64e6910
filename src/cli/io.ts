import { isatty } from 'node:tty'
import type { Settings } from '../profile/settings.ts'
import { spell } from '../base/time.ts'
import { type RunIo, staleLine } from '../run/events.ts'
import { endLine, givenBackLine, queuedLine, reapedLine, receiptText, startLines, survivorsLine, wineLine } from './lines.ts'
import { errorLine, print } from './report.ts'

/** stderr for people: failures always, what happens with `-v`, the receipt with `--receipt -`, progress on a terminal only. */
export function stderrIo(settings: Settings, env: RunIo['env'], cwd: string): RunIo {
  const verbose = settings.verbose > 0
  const progress = new Progress(!settings.quiet && isatty(2))
  return {
    env,
    cwd,
    tell(event) {
      switch (event.type) {
        case 'progress':
          return progress.now(event.doing === undefined ? undefined : `${event.doing} ...`, event.worthSayingAfterMs)
        case 'queued':
          return progress.now(queuedLine(event), QUEUED_MS)
        case 'launched':
          progress.now()
          return verbose ? startLines(event).forEach(print) : undefined
        case 'unused':
          return verbose ? print(endLine(event)) : undefined
        case 'time-limit':
          return settings.quiet ? undefined : print(`${event.program} is being ended: its time limit of ${spell(event.limitMs)} is over`)
        case 'returned':
          progress.now()
          return verbose && event.end !== 'nothing-held' ? print(givenBackLine(event)) : undefined
        case 'verified':
          // what makes the run fail is said when it does
          if (event.verified === false) return settings['strict-teardown'] ? undefined : print(`${event.text} [TEARDOWN_FAILED]`)
          return verbose || (event.verified === null && event.usual !== true) ? print(event.text) : undefined
        case 'lingering':
          return settings.quiet || event.cause !== 'taken' ? undefined : print(survivorsLine(event))
        case 'warning':
          return settings.quiet ? undefined : print(event.hint === undefined ? event.message : `${event.message}; ${event.hint}`)
        case 'wine':
          return verbose ? print(wineLine(event)) : undefined
        case 'requested':
        case 'obtained':
        case 'denied': // the run fails of it, and says so
        case 'mapped':
        case 'quit':
          return undefined
        case 'dequeued':
          return progress.now()
        case 'tried':
          return verbose ? print(`${event.what}: ${event.error}`) : undefined
        case 'lost':
          return print(`the connection to ${event.server} is lost: ${event.error.message} [${event.error.code}]`)
        case 'reconnected':
          return verbose ? print(`the connection to ${event.server} was lost and is there again after ${spell(event.ms)}`) : undefined
        case 'stale':
          return settings.quiet ? undefined : print(staleLine(event))
        case 'request-failed':
          return print(`${event.share}: ${event.error.message}; the program got an error [${event.error.code}]`)
        case 'reaped':
          return verbose || event.left.length > 0 ? print(reapedLine(event)) : undefined
        case 'not-given-back':
        case 'unwritten':
          return print(errorLine(event.error))
        case 'plan':
          return event.lines.forEach(print)
        case 'receipt':
          return settings.receipt === 'people' ? receiptText(event.receipt).forEach(print) : undefined
      }
    },
  }
}

/** A place that changes at once is not worth a line. */
const QUEUED_MS = 200

/** Says what takes long, once it has taken long. */
class Progress {
  readonly #on: boolean
  #timer: NodeJS.Timeout | undefined

  constructor(on: boolean) {
    this.#on = on
  }

  now(doing?: string, afterMs = 500): void {
    clearTimeout(this.#timer)
    if (doing !== undefined && this.#on) this.#timer = setTimeout(() => print(doing), afterMs).unref()
  }
}
