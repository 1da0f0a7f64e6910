/** [MS-SMB2] 2.2.3: dialect revisions, oldest first. */
export const DIALECT = { '2.0.2': 0x0202, '2.1': 0x0210, '3.0': 0x0300, '3.0.2': 0x0302, '3.1.1': 0x0311 } as const

export type Smb2Dialect = keyof typeof DIALECT

export const SMB2_DIALECTS = Object.keys(DIALECT) as readonly Smb2Dialect[]

/** What a server of 2.1 or newer answers to a multi-protocol negotiate: it wants an SMB2 NEGOTIATE. [MS-SMB2] 2.2.4. */
export const WILDCARD = 0x02ff

/** The dialect with this number, if it is one of ours. */
export function dialectOf(revision: number): Smb2Dialect | undefined {
  return SMB2_DIALECTS.find(name => DIALECT[name] === revision)
}

/** Whether a dialect belongs to the 3.x family, with keys of its own for each purpose. */
export function isSmb3(dialect: Smb2Dialect): boolean {
  return DIALECT[dialect] >= DIALECT['3.0']
}
