import { now } from '../base/time.ts'

const BEAT_MS = 500
const hooks = new Set<(stoppedMs: number) => void>()
let timer: NodeJS.Timeout | undefined
let last = 0

/**
 * Calls `hook` when this process goes on after it was stopped (Ctrl-Z, SIGSTOP, a frozen container), with how long that was in ms, up to half a second
 * too much: for deadlines against which stopped time shall not count. The clock went on meanwhile, hence a beat that notices. Returns what takes the hook off.
 */
export function onContinue(hook: (stoppedMs: number) => void): () => void {
  hooks.add(hook)
  if (timer === undefined) {
    last = now()
    timer = setInterval(beat, BEAT_MS).unref()
    process.on('SIGCONT', beat)
  }
  return () => {
    hooks.delete(hook)
    if (hooks.size > 0) return
    clearInterval(timer)
    timer = undefined
    process.removeListener('SIGCONT', beat)
  }
}

function beat(): void {
  const gap = now() - last
  last += gap
  if (gap > 2 * BEAT_MS) for (const hook of hooks) hook(gap)
}
