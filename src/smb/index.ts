/** An SMB client, 2.0.2 to 3.1.1, that ends its sessions. Loads Node's own modules only. */
export { NbtrunError, type Code } from '../base/errors.ts'
export type { Step } from '../base/scope.ts'
export { Client, connect, Share, type CallOptions, type ConnectOptions } from './client.ts'
export type { HeldConnection, HeldFile, HeldSession, SharedThing } from './rpc/srvsvc/accounts.ts'
export type { ServerService, SessionList } from './rpc/srvsvc/service.ts'
export type { DirEntry, FileInfo, Files, FileTimes, LockRange, OpenFile, OpenOptions, VolumeInfo } from './files.ts'
