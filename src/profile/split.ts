import { passwordInArgv } from './passwords.ts'
import { looksLikeOption, optionsAt } from './words.ts'

/** nbtrun's own words, and the program's as they came; undefined where no program was named. */
export interface Line {
  readonly own: readonly string[]
  readonly program: readonly string[] | undefined
}

/**
 * Options end after the first `--`, or, once a share or a profile was given, at the first word that is no option (PowerShell's npm shim eats `--`).
 * No parser sees the words behind. `shareKnown`: the environment names one.
 */
export function split(words: readonly string[], shareKnown: boolean): Line {
  let known = shareKnown
  for (let at = 0; at < words.length; ) {
    const word = words[at] ?? ''
    if (word === '--') return { own: words.slice(0, at), program: words.slice(at + 1) }
    if (known && !looksLikeOption(word)) return { own: words.slice(0, at), program: words.slice(at) }
    const read = optionsAt(words, at)
    known ||= read?.given.some(([name]) => name === 'share' || name === 'profile') ?? false
    at = read?.next ?? at + 1
  }
  return { own: words, program: undefined }
}

/** How other programs take a password: net, curl, sshpass, mount.cifs, smbclient. */
const CARRIER = /^(?:--?(?:password|passwd|passphrase|pass|pwd|pw|secret)(?:=|$)|-p)/i

/** Refuses a password among nbtrun's own words, before a parser could repeat it. */
export function refusePasswords(own: readonly string[]): void {
  for (let at = 0; at < own.length; ) {
    const read = optionsAt(own, at)
    const word = own[at] ?? ''
    if (read === undefined && CARRIER.test(word)) throw passwordInArgv(word.startsWith('--') ? word.replace(/=.*$/s, '') : word.slice(0, 2))
    at = read?.next ?? at + 1
  }
}
