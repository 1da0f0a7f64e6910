import type { Settings } from '../../profile/settings.ts'

/** A person waits: what was not asked for is shorter than a run's, ms. */
const BRIEF_MS = 5000

/** For finding and reaching a server, ms. */
export function connectMs({ given, 'connect-timeout': ms }: Settings): number {
  return given['connect-timeout'] === undefined ? Math.min(BRIEF_MS, ms) : ms
}

/** For one answer of a server of which nothing was heard yet, ms. */
export function answerMs({ given, 'io-timeout': ms }: Settings): number {
  return given['io-timeout'] === undefined ? Math.min(BRIEF_MS, ms) : ms
}

/** The settings of a run, which tries once. Who has spoken has as long for an answer as it has in a run. */
export function brief(settings: Settings): Settings {
  return { ...settings, 'connect-timeout': connectMs(settings), 'no-reconnect': true, keepalive: 0 }
}
