import type { Settings } from '../../profile/settings.ts'

/** With `--mapping none` our own client holds the session, as everywhere. */
export function usesOwnClient({ mapping }: Settings): boolean {
  return mapping === 'none'
}
