import type { Disposition, OpenOptions } from './files.ts'

/** [MS-SMB2] 2.2.13.1.1, [MS-CIFS] 2.2.4.64.1: access mask bits. */
export const ACCESS = {
  READ_DATA: 0x1,
  WRITE_DATA: 0x2,
  APPEND_DATA: 0x4,
  READ_EA: 0x8,
  WRITE_EA: 0x10,
  READ_ATTRIBUTES: 0x80,
  WRITE_ATTRIBUTES: 0x100,
  DELETE: 0x1_0000,
  READ_CONTROL: 0x2_0000,
  SYNCHRONIZE: 0x10_0000,
} as const

export const SHARE_ACCESS = { READ: 1, WRITE: 2, DELETE: 4 } as const

/** [MS-SMB2] 2.2.13: CreateDisposition. */
export const DISPOSITION = { SUPERSEDE: 0, OPEN: 1, CREATE: 2, OPEN_IF: 3, OVERWRITE: 4, OVERWRITE_IF: 5 } as const

export const CREATE_OPTION = { DIRECTORY_FILE: 0x1, NON_DIRECTORY_FILE: 0x40, OPEN_REPARSE_POINT: 0x20_0000 } as const

/** [MS-FSCC] 2.6. */
export const ATTRIBUTE = { READONLY: 0x1, HIDDEN: 0x2, SYSTEM: 0x4, DIRECTORY: 0x10, ARCHIVE: 0x20, NORMAL: 0x80, REPARSE_POINT: 0x400 } as const

const SHARE_ALL = SHARE_ACCESS.READ | SHARE_ACCESS.WRITE | SHARE_ACCESS.DELETE
const DISPOSITIONS: Record<Disposition, number> = {
  open: DISPOSITION.OPEN,
  create: DISPOSITION.CREATE,
  'open-or-create': DISPOSITION.OPEN_IF,
  overwrite: DISPOSITION.OVERWRITE,
  'overwrite-or-create': DISPOSITION.OVERWRITE_IF,
}

/** How something is opened, in the words that CREATE and NT_CREATE_ANDX share. */
export interface Opening {
  readonly access: number
  readonly attributes: number
  readonly shareAccess: number
  readonly disposition: number
  readonly options: number
}

/** What these options ask of a server. Others may read, write, rename and delete meanwhile, as on any Unix file system. */
export function opening(options: OpenOptions): Opening {
  const { read = false, write = false, writeAttributes = false, remove = false, directory, disposition = 'open' } = options
  let access: number = ACCESS.READ_ATTRIBUTES
  if (read) access |= ACCESS.READ_DATA | ACCESS.READ_EA
  if (write) access |= ACCESS.WRITE_DATA | ACCESS.APPEND_DATA | ACCESS.WRITE_ATTRIBUTES
  if (writeAttributes) access |= ACCESS.WRITE_ATTRIBUTES
  if (remove) access |= ACCESS.DELETE
  const kind = directory === undefined ? 0 : directory ? CREATE_OPTION.DIRECTORY_FILE : CREATE_OPTION.NON_DIRECTORY_FILE
  return {
    access,
    attributes: directory === true ? ATTRIBUTE.DIRECTORY : ATTRIBUTE.NORMAL,
    shareAccess: SHARE_ALL,
    disposition: DISPOSITIONS[disposition],
    options: kind,
  }
}

/** What a pipe is opened with, for DCE/RPC. */
export const PIPE_OPENING: Opening = {
  access: ACCESS.READ_DATA | ACCESS.WRITE_DATA | ACCESS.READ_ATTRIBUTES | ACCESS.READ_CONTROL | ACCESS.SYNCHRONIZE,
  attributes: 0,
  shareAccess: SHARE_ACCESS.READ | SHARE_ACCESS.WRITE,
  disposition: DISPOSITION.OPEN,
  options: 0,
}
