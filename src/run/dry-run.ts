import type { Settings } from '../profile/settings.ts'
import { findCredentials } from '../profile/credentials.ts'
import type { RunIo } from './events.ts'

/** What a run would do, from what was asked alone: no server is asked, nothing is taken. */
export async function plan(settings: Settings, words: readonly string[], io: RunIo): Promise<readonly string[]> {
  const { user, domain, kind, needsPrompt } = await findCredentials(settings, io.cwd)
  const who = kind === 'user' ? `${domain === '' ? '' : `${domain}/`}${user}` : kind
  const how = needsPrompt ? 'asking for the password' : kind === 'user' ? 'with the password given' : 'without a password'
  const shares = settings.share.map(({ label, point }) => {
    if (settings.mapping === 'none') return `would hold ${label} as ${who}, ${how}`
    return `would map ${label} at ${point ?? 'a folder of its own'}${settings['read-only'] ? ', read-only' : ''} as ${who}, ${how}`
  })
  return [...shares, `would run ${words.map(shown).join(' ')}, and wait for ${settings['wait-for'] === 'tree' ? 'it and all it starts' : 'it alone'}`]
}

/** A word as a shell would take it. */
function shown(word: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
