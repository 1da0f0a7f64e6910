import type koffiType from 'koffi'
import { ERROR } from './errors.ts'
import { type Connection, type Network, WindowsError } from './network.ts'

type Koffi = typeof koffiType

/** winnetwk.h */
const CONNECT_TEMPORARY = 4
const RESOURCETYPE_ANY = 0
const RESOURCETYPE_DISK = 1
const RESOURCE_CONNECTED = 1
const NO_MORE_ITEMS = 259
const MORE_DATA = 234
/** Of a user with a domain, characters. */
const MAX_USER = 1024

/** NETRESOURCEW: four DWORDs, then pointers to local name, remote name, comment and provider. */
const RESOURCE = { size: 48, type: 4, local: 16, remote: 24 } as const

/** mpr.dll, called off the main thread: a server that does not answer costs Windows up to a minute. */
export function wnet(koffi: Koffi): Network {
  const mpr = koffi.load('mpr.dll')
  const add = mpr.func('uint32_t WNetAddConnection2W(void *resource, void *password, str16 user, uint32_t flags)')
  const cancel = mpr.func('uint32_t WNetCancelConnection2W(str16 name, uint32_t flags, int force)')
  const openEnum = mpr.func('uint32_t WNetOpenEnumW(uint32_t scope, uint32_t type, uint32_t usage, void *resource, void *handle)')
  const enumResource = mpr.func('uint32_t WNetEnumResourceW(int64_t handle, void *count, void *buffer, void *size)')
  const closeEnum = mpr.func('uint32_t WNetCloseEnum(int64_t handle)')
  const getUser = mpr.func('uint32_t WNetGetUserW(str16 name, void *user, void *length)')
  const lastError = mpr.func('uint32_t WNetGetLastErrorW(void *error, void *text, uint32_t size, void *provider, uint32_t providerSize)')

  const call = (native: typeof add, ...words: unknown[]): Promise<number> =>
    new Promise((resolve, reject) => native.async(...words, (error: Error | null, result: number) => (error === null ? resolve(result) : reject(error))))

  /** What a provider says behind ERROR_EXTENDED_ERROR: a number of its own and a text. */
  const detailOf = (number: number): string => {
    if (number !== ERROR.extended) return ''
    const [error, text, provider] = [Buffer.alloc(4), Buffer.alloc(1024), Buffer.alloc(256)]
    if (lastError(error, text, text.length / 2, provider, provider.length / 2) !== 0) return ''
    return `${untilNul(provider)} ${error.readUInt32LE(0)} ${untilNul(text)}`.trim()
  }
  const check = (number: number, name: string): void => {
    if (number !== 0) throw new WindowsError(number, name, detailOf(number))
  }

  return {
    way: 'wnet',
    async connect({ device, remote }, login) {
      // the texts must stay where they are until the call is over
      const [local, name] = [device === '' ? undefined : wide(device), wide(remote)]
      const resource = Buffer.alloc(RESOURCE.size)
      resource.writeUInt32LE(/\\IPC\$$/i.test(remote) ? RESOURCETYPE_ANY : RESOURCETYPE_DISK, RESOURCE.type)
      if (local !== undefined) resource.writeBigUInt64LE(koffi.address(local), RESOURCE.local)
      resource.writeBigUInt64LE(koffi.address(name), RESOURCE.remote)
      const password = login === undefined ? null : Buffer.concat([login.password, Buffer.alloc(2)])
      try {
        check(await call(add, resource, password, login?.user ?? null, CONNECT_TEMPORARY), 'WNetAddConnection2')
      } finally {
        password?.fill(0)
        local?.fill(0) // and so it was kept
        name.fill(0)
      }
    },
    async cancel({ device, remote }, force) {
      const number = await call(cancel, device === '' ? remote : device, 0, force ? 1 : 0)
      if (number !== ERROR.notConnected) check(number, 'WNetCancelConnection2')
    },
    async userOf({ device, remote }) {
      const [user, length] = [Buffer.alloc(2 * MAX_USER), Buffer.alloc(4)]
      length.writeUInt32LE(MAX_USER)
      return (await call(getUser, device === '' ? remote : device, user, length)) === 0 ? untilNul(user) || undefined : undefined
    },
    async connections() {
      const handle = Buffer.alloc(8)
      const opened = await call(openEnum, RESOURCE_CONNECTED, RESOURCETYPE_ANY, 0, null, handle)
      if (opened === 1222) return [] // no network, no connection
      check(opened, 'WNetOpenEnum')
      const found: Connection[] = []
      try {
        for (let size = 16 * 1024; ; ) {
          const [count, buffer, room] = [Buffer.alloc(4), Buffer.alloc(size), Buffer.alloc(4)]
          count.writeUInt32LE(0xffffffff)
          room.writeUInt32LE(size)
          const number = await call(enumResource, handle.readBigInt64LE(0), count, buffer, room)
          if (number === NO_MORE_ITEMS) return found
          if (number === MORE_DATA && size < 1024 * 1024) {
            size *= 2
            continue
          }
          check(number, 'WNetEnumResource')
          for (let i = 0; i < count.readUInt32LE(0) && (i + 1) * RESOURCE.size <= size; i++) {
            const text = (at: number): string => {
              const address = buffer.readBigUInt64LE(i * RESOURCE.size + at)
              return address === 0n ? '' : String(koffi.decode(address, 'char16_t', -1))
            }
            found.push({ device: text(RESOURCE.local), remote: text(RESOURCE.remote) })
          }
        }
      } finally {
        closeEnum(handle.readBigInt64LE(0))
      }
    },
  }
}

/** UTF-16 with its terminator. */
function wide(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le')
}

function untilNul(buffer: Buffer): string {
  const text = buffer.toString('utf16le')
  return text.slice(0, Math.max(0, text.indexOf('\0')))
}
