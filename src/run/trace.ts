import type { Scope } from '../base/scope.ts'
import type { ReachAttempt } from '../smb/transport.ts'

/** Takes down in the ledger how a server was found and called: each source that was asked for its name and what it said, each name that was called on 139. */
export function tracer(scope: Scope): (attempt: ReachAttempt) => void {
  return attempt => {
    const { outcome, ms } = attempt
    const error = /^(?:failed|refused): /.test(outcome) ? outcome.replace(/^failed: /, '') : undefined
    if (error !== undefined) scope.note('reach', nameOf(attempt), undefined, { ok: false, ms, error })
    else scope.note('reach', nameOf(attempt), attempt.what === 'node status' ? attempt.name : outcome, { ms })
  }
}

function nameOf(attempt: ReachAttempt): string {
  switch (attempt.what) {
    case 'look-up':
      return `name ${attempt.host} by ${attempt.source}`
    case 'node status':
      return `node status of ${attempt.address}`
    case 'call':
      return `call ${attempt.name} at ${attempt.address}:${attempt.port}`
  }
}
