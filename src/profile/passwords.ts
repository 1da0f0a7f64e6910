import { NbtrunError } from '../base/errors.ts'

/** The three ways that keep a password out of `ps` and of the shell's history. */
export const PASSWORD_WAYS = 'use --password-file, --password-fd or --auth-file, or leave it out to be asked'

/** `where` names the option, never its value. */
export function passwordInArgv(where: string): NbtrunError {
  return new NbtrunError('PASSWORD_IN_ARGV', `${where} would show the password to every user of this machine`, { hint: PASSWORD_WAYS })
}

/** A user name without a password behind it. */
export function userName(text: string): string {
  if (/[%:]/.test(text))
    throw new NbtrunError('PASSWORD_IN_ARGV', 'has a password in it, where every user of this machine can read it', { hint: PASSWORD_WAYS })
  if (text === '' || /\p{Cc}/u.test(text)) throw new NbtrunError('USAGE', 'must be a user name such as alice, DOM/alice or alice@dom')
  return text
}
