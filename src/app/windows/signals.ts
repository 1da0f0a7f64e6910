import type { Action, Received } from '../signals.ts'

/**
 * Windows gives Ctrl-C and Ctrl-Break to every program of the console, so none is forwarded. When the console is closed (SIGHUP to Node) it gives the program
 * and us five seconds, whatever we do.
 */
export function decideOnWindows({ phase, signal, count }: Pick<Received, 'phase' | 'signal' | 'count'>): Action {
  const closing = signal === 'SIGHUP' || signal === 'SIGTERM'
  switch (phase) {
    case 'before':
      return count === 1 ? 'cancel' : 'hurry'
    case 'running':
      if (closing) return 'rush'
      return count === 1 ? 'leave' : count === 2 ? 'term' : 'kill'
    case 'ending':
      if (closing) return 'rush'
      return count <= 2 ? 'term' : count === 3 ? 'kill' : 'hurry'
  }
}
