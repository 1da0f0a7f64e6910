/** Numbers of the kernel's FUSE interface, include/uapi/linux/fuse.h, version 7.40. */

export const MAJOR = 7
export const MINOR = 40
/** The oldest kernel interface whose messages have the layouts used here (Linux 3.15). */
export const OLDEST_MINOR = 23

export const ROOT_ID = 1

export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  TMPFILE: 51,
} as const

export const OP_NAMES = new Map<number, string>(Object.entries(OP).map(([name, opcode]) => [opcode, name]))

/** INIT flags, the low word. */
export const INIT = {
  ASYNC_READ: 1 << 0,
  POSIX_LOCKS: 1 << 1,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  FLOCK_LOCKS: 1 << 10,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  /** The high word of the flags counts. */
  INIT_EXT: 1 << 30,
} as const

/** INIT flags, the high word. */
export const INIT2 = { DIRECT_IO_ALLOW_MMAP: 1 << 4 } as const

export const FOPEN_DIRECT_IO = 1 << 0
export const GETATTR_FH = 1 << 0
export const LK_FLOCK = 1 << 0
export const WRITE_CACHE = 1 << 0

/** Which members of SETATTR count. */
export const FATTR = { MODE: 1, UID: 2, GID: 4, SIZE: 8, ATIME: 16, MTIME: 32, FH: 64, ATIME_NOW: 128, MTIME_NOW: 256 } as const

export const RENAME_NOREPLACE = 1

/** fcntl lock types. */
export const F_RDLCK = 0
export const F_WRLCK = 1
export const F_UNLCK = 2

/** open(2) flags as the kernel passes them, include/uapi/asm-generic/fcntl.h. */
export const O = { ACCMODE: 3, RDONLY: 0, WRONLY: 1, RDWR: 2, EXCL: 0o200, TRUNC: 0o1000, APPEND: 0o2000 } as const

export const S_IFMT = 0o170000
export const S_IFDIR = 0o040000
export const S_IFREG = 0o100000
export const DT_DIR = 4
export const DT_REG = 8
