import { isatty } from 'node:tty'
import type { Settings } from '../profile/settings.ts'
import { spell } from '../base/time.ts'
import { type RunIo, staleLine } from '../run/events.ts'
import { endLine, givenBackLine, reapedLine, receiptText, startLines, survivorsLine } from './lines.ts'
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
          return progress.now(event.doing, event.worthSayingAfterMs)
        case 'started':
          progress.now()
          return verbose ? startLines(event).forEach(print) : undefined
        case 'ended':
          return verbose ? print(endLine(event)) : undefined
        case 'given-back':
          progress.now()
          return verbose && event.end !== 'nothing-held' ? print(givenBackLine(event)) : undefined
        case 'verified':
          // what makes the run fail is said when it does
          if (event.verified === false) return settings['strict-teardown'] ? undefined : print(`${event.text} [TEARDOWN_FAILED]`)
          return verbose || event.verified === null ? print(event.text) : undefined
        case 'survivors':
          return settings.quiet ? undefined : print(survivorsLine(event))
        case 'warning':
          return settings.quiet ? undefined : print(event.hint === undefined ? event.message : `${event.message}; ${event.hint}`)
        case 'step':
          return undefined
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
          return print(errorLine(event.error))
        case 'plan':
          return event.lines.forEach(print)
        case 'receipt':
          return settings.receipt === 'people' ? receiptText(event.receipt).forEach(print) : undefined
      }
    },
  }
}

/** Says what takes long, once it has taken long. */
class Progress {
  readonly #on: boolean
  #timer: NodeJS.Timeout | undefined

  constructor(on: boolean) {
    this.#on = on
  }

  now(doing?: string, afterMs = 500): void {
    clearTimeout(this.#timer)
    if (doing !== undefined && this.#on) this.#timer = setTimeout(() => print(`${doing} ...`), afterMs).unref()
  }
}
