import { userName } from './passwords.ts'
import { share } from './share.ts'
import { NAME_ORDER } from '../nbt/name-order.ts'
import { CIPHERS, SIGNING_ALGORITHMS } from '../smb/terms.ts'
import {
  addresses,
  assignment,
  choice,
  dialect,
  duration,
  filled,
  heldName,
  nameOrder,
  netbiosName,
  passwordFd,
  port,
  scope,
  several,
  sink,
  sinkOrPeople,
  timeout,
  verification,
  whole,
  yes,
} from './values.ts'

/**
 * One option. `one` takes a value, once; `many` may be repeated; `flag` stands alone; `count` counts. `parse` judges the text (of a flag or
 * count: the text in the environment). `common` options are in `--help`, the others in `--help all`.
 */
export interface Option<T> {
  readonly kind: 'one' | 'many' | 'flag' | 'count'
  readonly arg?: string
  /** The value of an option that stands alone; another one is then given as `--name=value` only. */
  readonly alone?: string
  readonly short?: string
  readonly aliases?: readonly string[]
  readonly help: string
  readonly common: boolean
  readonly fallback?: T
  parse(text: string): T
}

/** Every option of a run. Parsers, help, environment lookup and docs/options.md come from this table. */
export const OPTIONS = {
  share: {
    kind: 'many',
    arg: '//HOST/SHARE[=DIR|=P:]',
    common: true,
    help: 'map this share, or a folder below it, for the program (repeat for more)',
    parse: share,
  },
  mount: { kind: 'one', arg: 'DIR', common: true, help: 'where a single share is seen (default: a folder of its own)', parse: filled },
  user: { kind: 'one', arg: 'USER', short: 'U', common: true, help: 'alice, DOM/alice or alice@dom (default: the login name)', parse: userName },
  'auth-file': {
    kind: 'one',
    arg: 'FILE',
    short: 'A',
    aliases: ['credentials'],
    common: true,
    help: 'user and password from lines "username = ...", "password = ...", "domain = ..."',
    parse: filled,
  },
  'password-file': { kind: 'one', arg: 'FILE', common: true, help: 'the password is the first line of FILE', parse: filled },
  'password-fd': { kind: 'one', arg: 'N', common: true, help: 'the password comes through open descriptor N', parse: passwordFd },
  anonymous: { kind: 'flag', common: true, help: 'log in as nobody', parse: yes },
  guest: { kind: 'flag', common: true, help: 'log in as guest, without a password', parse: yes },
  grace: { kind: 'one', arg: 'TIME', common: true, help: 'hold the share this long after its last user is gone', parse: duration },
  wait: {
    kind: 'one',
    arg: 'TIME',
    short: 'w',
    common: true,
    fallback: 0,
    help: 'wait up to this long for a seat on a full share, and for a network that is not there yet',
    parse: duration,
  },
  'busy-exit-code': {
    kind: 'one',
    arg: 'N',
    short: 'E',
    common: true,
    fallback: 75,
    help: 'exit code when there is no seat, at once or within --wait',
    parse: text => whole(text, 0, 255),
  },
  'time-limit': { kind: 'one', arg: 'TIME', common: true, help: 'end the program and all it started after this long, with exit code 124', parse: timeout },
  'wait-for': {
    kind: 'one',
    arg: 'tree|app',
    common: true,
    fallback: 'tree',
    help: 'the run ends with all the program started, or with the program',
    parse: choice('tree', 'app'),
  },
  chdir: { kind: 'one', arg: 'DIR', short: 'C', common: true, help: 'start the program in DIR', parse: filled },
  env: { kind: 'many', arg: 'NAME=VALUE', common: true, help: 'set a variable of the program (repeat for more)', parse: assignment },
  'read-only': { kind: 'flag', common: true, help: 'refuse every change to the share', parse: yes },
  profile: { kind: 'one', arg: 'NAME', common: true, help: 'take options, and the program, from NAME.toml (see nbtrun config)', parse: filled },
  receipt: { kind: 'one', arg: 'FILE|fd:N|-', common: true, help: 'write what was taken and given back, as JSON (-: as text on stderr)', parse: sinkOrPeople },
  verbose: { kind: 'count', short: 'v', common: true, help: 'say what happens; twice: stacks of errors too', parse: count },
  quiet: { kind: 'flag', short: 'q', common: true, help: 'say nothing but errors', parse: yes },
  'dry-run': { kind: 'flag', common: true, help: 'say what would be done, and do nothing', parse: yes },

  'program-from': {
    kind: 'one',
    arg: 'share|path',
    common: false,
    help: 'where a bare program name is looked for when both have it',
    parse: choice('share', 'path'),
  },
  'no-expand': { kind: 'flag', common: false, help: 'leave {mount}, {drive} and {share} as they are', parse: yes },
  'wine-prefix': {
    kind: 'one',
    arg: 'DIR',
    common: false,
    help: 'where Wine keeps its files for the program (default: WINEPREFIX, or ~/.wine)',
    parse: filled,
  },
  mapping: {
    kind: 'one',
    arg: 'auto|private|shared|drive|unc|none',
    common: false,
    fallback: 'auto',
    help: 'private: seen by the program alone; shared: by all of this user; none: a session only; on Windows drive: a letter; unc: no letter; auto: the first that fits this machine',
    parse: choice('auto', 'private', 'shared', 'drive', 'unc', 'none'),
  },
  transport: {
    kind: 'one',
    arg: 'auto|nbt|tcp',
    common: false,
    fallback: 'auto',
    help: 'NetBIOS (port 139) or plain TCP (port 445)',
    parse: choice('auto', 'nbt', 'tcp'),
  },
  port: { kind: 'one', arg: 'N', common: false, help: 'TCP port of the server', parse: port },
  'called-name': { kind: 'one', arg: 'NAME', common: false, help: 'NetBIOS name to ask the server for', parse: netbiosName },
  'calling-name': { kind: 'one', arg: 'NAME', common: false, help: 'NetBIOS name to call from', parse: netbiosName },
  scope: { kind: 'one', arg: 'SCOPE', common: false, help: 'NetBIOS scope', parse: scope },
  'by-address': {
    kind: 'one',
    arg: 'auto|status',
    common: false,
    fallback: 'auto',
    help: 'how port 139 is called by an IP address: *SMBSERVER, then its node status; or its node status alone, as NT 4.0 SP5 did',
    parse: choice('auto', 'status'),
  },
  wins: { kind: 'one', arg: 'ADDRESS,...', common: false, help: 'NetBIOS name servers, the first one first', parse: addresses },
  'name-order': {
    kind: 'one',
    arg: 'LIST',
    common: false,
    fallback: NAME_ORDER,
    help: 'where names are looked for (default: lmhosts,dns,wins); also host (dns) and bcast, which anybody may answer',
    parse: nameOrder,
  },
  'hold-name': {
    kind: 'many',
    arg: 'NAME[#HEX]',
    common: false,
    help: 'hold this NetBIOS name, suffix 20 unless given, from before the program starts until all is given back (repeat for more)',
    parse: heldName,
  },
  'min-dialect': {
    kind: 'one',
    arg: 'VERSION',
    common: false,
    fallback: '2.0.2',
    help: 'no SMB below this: NT1 (SMB1), 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1',
    parse: dialect,
  },
  'max-dialect': { kind: 'one', arg: 'VERSION', common: false, fallback: '3.1.1', help: 'no SMB above this', parse: dialect },
  server: {
    kind: 'one',
    arg: 'nt4',
    common: false,
    help: 'a server as old as Windows NT 4.0: SMB1 on port 139, and NTLMv1, unless options say otherwise',
    parse: choice('nt4'),
  },
  'auth-level': {
    kind: 'one',
    arg: 'ntlmv2|ntlm|lm',
    common: false,
    fallback: 'ntlmv2',
    help: 'how the password is proven; ntlm (NTLMv1) and lm let who listens find it, and are for servers that know nothing better',
    parse: choice('ntlmv2', 'ntlm', 'lm'),
  },
  'smb1-login': {
    kind: 'one',
    arg: 'auto|raw',
    common: false,
    fallback: 'auto',
    help: 'auto logs in to SMB1 by SPNEGO where the server can; raw as to NT 4.0, by NTLM alone',
    parse: choice('auto', 'raw'),
  },
  'reset-client': {
    kind: 'flag',
    common: false,
    help: "SMB1 only: have the server end every other session of this machine's address first, other users' too",
    parse: yes,
  },
  signing: {
    kind: 'one',
    arg: 'auto|required',
    common: false,
    fallback: 'auto',
    help: 'auto signs all but guests; required takes no guests either',
    parse: choice('auto', 'required'),
  },
  'signing-algorithms': {
    kind: 'one',
    arg: 'LIST',
    common: false,
    help: `what SMB 3.1.1 may sign with, best first: ${SIGNING_ALGORITHMS.join(',')}`,
    parse: several(...SIGNING_ALGORITHMS),
  },
  encrypt: { kind: 'flag', common: false, help: 'encrypt everything, or fail (without it: what the server wants encrypted)', parse: yes },
  ciphers: {
    kind: 'one',
    arg: 'LIST',
    common: false,
    help: `what may encrypt, best first: ${CIPHERS.join(',')}`,
    parse: several(...CIPHERS),
  },
  'connect-timeout': { kind: 'one', arg: 'TIME', common: false, fallback: 10_000, help: 'for finding and reaching the server', parse: timeout },
  'io-timeout': { kind: 'one', arg: 'TIME', common: false, fallback: 20_000, help: 'for each answer of the server', parse: timeout },
  keepalive: {
    kind: 'one',
    arg: 'TIME',
    common: false,
    fallback: 60_000,
    help: 'ask a silent server so often whether it is there (0: never)',
    parse: duration,
  },
  'no-reconnect': { kind: 'flag', common: false, help: 'a lost connection stays lost, and no key is kept for another login', parse: yes },
  'teardown-timeout': { kind: 'one', arg: 'TIME', common: false, fallback: 5000, help: 'for giving everything back', parse: timeout },
  'kill-after': { kind: 'one', arg: 'TIME', common: false, fallback: 5000, help: 'from asking the program to end to killing it', parse: duration },
  verify: {
    kind: 'one',
    arg: 'end',
    alone: 'ask',
    common: false,
    fallback: 'no',
    help: 'ask the server afterwards whether the session is gone; end: have it end one that is not (needs --admin-auth-file)',
    parse: verification,
  },
  'admin-auth-file': {
    kind: 'one',
    arg: 'FILE',
    common: false,
    help: 'an administrator of the server, who may ask for its sessions; as --auth-file; on Windows, where it is enough: has the one that is left ended',
    parse: filled,
  },
  events: { kind: 'one', arg: 'FILE|fd:N', common: false, help: 'write what happens, a line of JSON each', parse: sink },
  'strict-teardown': { kind: 'flag', common: false, help: 'exit 125 when something could not be given back', parse: yes },
} as const satisfies Record<string, Option<unknown>>

export type Name = keyof typeof OPTIONS

/** The table in its order, for code that treats all rows alike. */
export const ROWS = Object.entries(OPTIONS) as unknown as readonly (readonly [Name, Option<unknown>])[]

/** Who logs in, and how the server is reached: what commands that ask a server take, too. */
export const REACH = [
  'user',
  'auth-file',
  'password-file',
  'password-fd',
  'anonymous',
  'guest',
  'transport',
  'port',
  'called-name',
  'calling-name',
  'scope',
  'by-address',
  'wins',
  'name-order',
  'min-dialect',
  'max-dialect',
  'server',
  'auth-level',
  'smb1-login',
  'signing',
  'signing-algorithms',
  'encrypt',
  'ciphers',
  'connect-timeout',
  'io-timeout',
  'teardown-timeout',
  'verbose',
] as const satisfies readonly Name[]

export const ENV_PREFIX = 'NBTRUN_OPT_'

/** The variable that stands for an option. */
export function envName(name: string): string {
  return ENV_PREFIX + name.toUpperCase().replaceAll('-', '_')
}

/** A count in the environment. */
function count(text: string): number {
  return whole(text, 0, 9)
}
