import type { User } from './users.ts'

/** How nbtrun may map, and who runs it that way. */
export const WAYS = { root: 'root', b2: 'alice', b1: 'alice', c: 'alice' } as const satisfies Record<string, User | 'root'>
export type Way = keyof typeof WAYS

/** A dialect with its signing and its cipher: what makes a server speak so, and what the receipt must then say. */
export interface Wire {
  /** smb.conf lines for [global]. */
  readonly global: readonly string[]
  /** The client's environment. But for SMB1, which must be asked for, it is left to its defaults. */
  readonly client?: Readonly<Record<string, string>>
  readonly dialect: string
  readonly signing: string | null
  readonly encryption: string | null
}

const signs = (algorithm: string): string => `server smb3 signing algorithms = ${algorithm}`
const upTo = (protocol: string): string => `server max protocol = ${protocol}`
const encrypts = (cipher: string): string[] => ['server smb encrypt = required', `server smb3 encryption algorithms = ${cipher}`]

const smb1 = ['server min protocol = NT1', upTo('NT1')]
const SMB1 = { NBTRUN_OPT_MIN_DIALECT: 'NT1', NBTRUN_OPT_MAX_DIALECT: 'NT1' }

export const WIRES = {
  // what Samba speaks unless told otherwise, with everybody who has it
  '3.1.1 GMAC': { global: [], dialect: '3.1.1', signing: 'AES-GMAC', encryption: null },
  '3.1.1 CMAC': { global: [signs('AES-128-CMAC')], dialect: '3.1.1', signing: 'AES-CMAC', encryption: null },
  '3.0.2': { global: [upTo('SMB3_02')], dialect: '3.0.2', signing: 'AES-CMAC', encryption: null },
  '2.1': { global: [upTo('SMB2_10')], dialect: '2.1', signing: 'HMAC-SHA256', encryption: null },
  '2.0.2': { global: [upTo('SMB2_02')], dialect: '2.0.2', signing: 'HMAC-SHA256', encryption: null },
  'CCM-128': { global: encrypts('AES-128-CCM'), dialect: '3.1.1', signing: 'AES-GMAC', encryption: 'AES-128-CCM' },
  'GCM-256': { global: encrypts('AES-256-GCM'), dialect: '3.1.1', signing: 'AES-GMAC', encryption: 'AES-256-GCM' },
  NT1: { global: [...smb1, 'server signing = mandatory'], client: SMB1, dialect: 'NT1', signing: 'MD5', encryption: null },
  // NTLMv2 without NTLMSSP; Samba 4.17 never signs what began so
  'NT1 raw': {
    global: [...smb1, 'server signing = disabled', 'raw NTLMv2 auth = yes'],
    client: { ...SMB1, NBTRUN_OPT_SMB1_LOGIN: 'raw', NBTRUN_OPT_TRANSPORT: 'nbt' },
    dialect: 'NT1',
    signing: null,
    encryption: null,
  },
} as const satisfies Record<string, Wire>
export type WireName = keyof typeof WIRES

/** One field of the matrix. Outside the matrix `way` is undefined: root and alice take theirs. */
export interface Cell {
  readonly way: Way | undefined
  readonly wire: WireName
}

/** The cells that every `npm test` tries beside 3.1.1 GMAC, which all its other tests speak: each way and each wire at least once. */
export const DIAGONAL: readonly Cell[] = [
  { way: 'b2', wire: '3.1.1 CMAC' },
  { way: 'b1', wire: '3.0.2' },
  { way: 'c', wire: '2.1' },
  { way: 'root', wire: '2.0.2' },
  { way: 'c', wire: 'CCM-128' },
  { way: 'b1', wire: 'GCM-256' },
  { way: 'b2', wire: 'NT1' },
  { way: 'root', wire: 'NT1 raw' },
]

/** The wire that this process's servers are bound to: none outside the matrix, where they speak whatever the client asks for. */
export const bound = named(WIRES, 'LAB_WIRE')

/** The cell that this process tests: outside the matrix the best that both sides have. */
export const cell: Cell = { way: named(WAYS, 'LAB_WAY'), wire: bound ?? '3.1.1 GMAC' }

/** The client's environment as options: a program's own nbtrun does not inherit it. */
export const wireOptions: readonly string[] = Object.entries((WIRES[cell.wire] as Wire).client ?? {}).flatMap(([name, value]) => [
  `--${name.replace('NBTRUN_OPT_', '').toLowerCase().replaceAll('_', '-')}`,
  value,
])

/** Who runs a program on a client when nobody is named. */
export const ME: User | 'root' = cell.way === undefined ? 'root' : WAYS[cell.way]

/** For tests that run as several users. */
export const WHO: readonly (User | 'root')[] = cell.way === undefined ? ['root', 'alice'] : [ME]

/** The way that this user's runs must take. */
export const wayOf = (user: User | 'root'): Way => cell.way ?? (user === 'root' ? 'root' : 'b2')

/** The environment that makes a process test that cell. */
export const cellEnv = ({ way, wire }: Cell): Record<string, string> => ({ ...(way === undefined ? {} : { LAB_WAY: way }), LAB_WIRE: wire })

function named<T extends object>(table: T, variable: string): keyof T | undefined {
  const name = process.env[variable]
  if (name === undefined || name === '') return undefined
  if (!Object.hasOwn(table, name)) throw new Error(`lab: ${variable} is ${name}, none of ${Object.keys(table).join(', ')}`)
  return name as keyof T
}
