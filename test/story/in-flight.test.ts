// The connection goes while a request is under way: what can be sent again is, what cannot is EIO.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { NbtrunError } from '../../src/base/errors.ts'
import { decode } from '../../src/base/wire.ts'
import type { Files } from '../../src/smb/files.ts'
import { COMMAND, type CommandName, HEADER_SIZE } from '../../src/smb/smb2/header.ts'
import { negotiateRequest } from '../../src/smb/smb2/negotiate.ts'
import { sessionSetupRequest } from '../../src/smb/smb2/session-setup.ts'
import { Connection } from '../../src/smb/smb2/connection.ts'
import { type Lab, useLab } from '../lab/index.ts'
import { noLab } from '../lab/nbtrun.ts'
import { type Lasting, lasting } from './lasting.ts'
import { field, type Meddler, proxy } from './proxy.ts'
import { nothingLeft } from './story.ts'

/** Ends the connection in place of the next answer to this command, once it is armed; the server has done what was asked. */
class Trap implements Meddler {
  #command: CommandName | undefined
  #skip = 0
  readonly guids = new Set<string>()
  readonly previous: bigint[] = []
  readonly sessions: bigint[] = []

  arm(command: CommandName, skip = 0): void {
    this.#command = command
    this.#skip = skip
  }

  readonly fromClient: NonNullable<Meddler['fromClient']> = frame => {
    if (field.command(frame) === COMMAND.NEGOTIATE) this.guids.add(decode(negotiateRequest, frame.subarray(HEADER_SIZE)).clientGuid.toString('hex'))
    if (field.command(frame) === COMMAND.SESSION_SETUP) {
      const { previousSessionId } = decode(sessionSetupRequest, frame.subarray(HEADER_SIZE))
      if (this.previous.at(-1) !== previousSessionId || frame.readBigUInt64LE(40) === 0n) this.previous.push(previousSessionId)
    }
    return frame
  }

  readonly fromServer: NonNullable<Meddler['fromServer']> = (frame, { client, server }) => {
    if (field.command(frame) === COMMAND.TREE_CONNECT && this.sessions.at(-1) !== frame.readBigUInt64LE(40)) this.sessions.push(frame.readBigUInt64LE(40))
    if (this.#command === undefined || field.command(frame) !== COMMAND[this.#command] || this.#skip-- > 0) return frame
    this.#command = undefined
    client.resetAndDestroy()
    server.destroy()
    return undefined
  }
}

async function scene(lab: Lab, play: (held: Lasting, trap: Trap) => Promise<void>): Promise<{ trap: Trap; told: readonly string[] }> {
  const trap = new Trap()
  await using between = await proxy({ host: lab.server().address, port: 445 }, trap)
  const held = await lasting(lab, between.port)
  try {
    await play(held, trap)
  } finally {
    const steps = await held.close()
    assert.deepEqual(
      steps.map(({ name, status }) => `${name}: ${status}`),
      ['TREE_DISCONNECT app: STATUS_SUCCESS', 'TREE_DISCONNECT IPC$: STATUS_SUCCESS', 'LOGOFF 127.0.0.1: STATUS_SUCCESS', 'FIN 127.0.0.1: undefined'],
    )
    assert.throws(() => held.credentials.key?.bytes, { code: 'CLOSED' }, 'the key is wiped')
  }
  return { trap, told: held.told }
}

const unknown = (error: unknown): boolean => error instanceof NbtrunError && error.facts['errno'] === 'EIO' && /nobody knows/.test(error.message)

async function make(files: Files, path: string, text: string): Promise<void> {
  const file = await files.open(path, { write: true, disposition: 'overwrite-or-create' })
  await file.write(0, Buffer.from(text))
  await file.close()
}

describe('a connection that goes with a request under way', { skip: noLab, timeout: 115_000 }, () => {
  test('questions are asked again, and the new session names the one before it', async () => {
    const lab = await useLab()
    const { trap, told } = await scene(lab, async ({ files }, trap) => {
      await make(files, 'note', 'some words')
      const file = await files.open('note', { read: true })
      trap.arm('READ')
      assert.equal(String(await file.read(5, 100)), 'words')
      trap.arm('QUERY_INFO')
      assert.equal((await file.stat()).size, 10)
      trap.arm('CREATE')
      assert.equal((await files.stat('note')).size, 10)
      const folder = await files.open('', { read: true, directory: true })
      trap.arm('QUERY_DIRECTORY')
      assert.ok((await folder.entries(true)).some(({ name }) => name === 'note'))
      trap.arm('CREATE')
      await assert.rejects(files.open('absent', { read: true }), { facts: { errno: 'ENOENT', status: 0xc0000034, name: 'STATUS_OBJECT_NAME_NOT_FOUND' } })
      for (const open of [file, folder]) assert.equal((await open.close()).how, 'clean')
    })
    assert.deepEqual(told, Array(5).fill('reconnected'))
    assert.equal(trap.guids.size, 1, 'one ClientGuid')
    assert.deepEqual(trap.previous, [0n, ...trap.sessions.slice(0, -1)])
    assert.equal(new Set(trap.sessions).size, 6)
    await nothingLeft(lab)
  })

  test('what is written at a place is written there again, and only there', async () => {
    const lab = await useLab()
    await scene(lab, async ({ files }, trap) => {
      const file = await files.open('written', { read: true, write: true, disposition: 'create' })
      await file.write(0, Buffer.from('0123456789'))
      trap.arm('WRITE')
      await file.write(10, Buffer.from('abc'))
      trap.arm('SET_INFO')
      await file.truncate(12)
      trap.arm('SET_INFO')
      await file.setTimes({ written: 133_000_000_000_000_000n })
      trap.arm('WRITE', 2)
      await Promise.all([0, 1, 2, 3, 4, 5].map(i => file.write(12 + i, Buffer.from(String(i)))))
      assert.equal(String(await file.read(0, 100)), '0123456789ab012345')
      assert.equal((await file.close()).how, 'clean')
    })
    assert.equal(readFileSync(join(lab.server().diskPath('app'), 'written'), 'utf8'), '0123456789ab012345')
    await nothingLeft(lab)
  })

  test('removing and renaming are EIO: nobody knows whether they were done', async () => {
    const lab = await useLab()
    const { told } = await scene(lab, async ({ files }, trap) => {
      for (const name of ['a', 'b']) await make(files, name, name)
      trap.arm('CREATE') // the first of three in one frame
      await assert.rejects(files.rename('a', 'c', false), unknown)
      trap.arm('CREATE')
      await assert.rejects(files.remove('b', false), unknown)
      assert.equal((await files.stat('c')).size, 1)
    })
    const shown = told.map(line => line.split(':')[0])
    assert.deepEqual(shown, ['unsure', 'reconnected', 'unsure', 'reconnected'])
    await nothingLeft(lab)
  })

  test('what is made exclusively is made again; when it is there by then, nobody knows by whom', async () => {
    const lab = await useLab()
    await scene(lab, async ({ files, lifeline }, trap) => {
      trap.arm('CREATE')
      await assert.rejects(files.open('mine', { write: true, disposition: 'create' }), unknown)
      trap.arm('CREATE')
      await assert.rejects(files.makeDirectory('folder'), unknown)
      lifeline.connection.abort(new NbtrunError('CONNECTION_LOST', 'gone before it was asked'))
      await (await files.open('other', { write: true, disposition: 'create' })).close()
      await assert.rejects(files.open('other', { write: true, disposition: 'create' }), {
        facts: { errno: 'EEXIST', status: 0xc0000035, name: 'STATUS_OBJECT_NAME_COLLISION' },
      })
      trap.arm('CREATE')
      await (await files.open('other', { write: true, disposition: 'open-or-create' })).close()
    })
    await nothingLeft(lab)
  })

  test('a lock is asked for again, for what was under way went with its open; an unlock is done by the loss', async () => {
    const lab = await useLab()
    await scene(lab, async ({ files }, trap) => {
      await make(files, 'locks', 'x')
      const [one, two] = [await files.open('locks', { read: true, write: true }), await files.open('locks', { read: true, write: true })]
      trap.arm('LOCK')
      await one.lock({ offset: 0n, length: 5n }, true)
      await one.lock({ offset: 10n, length: 5n }, true)
      await assert.rejects(two.lock({ offset: 4n, length: 1n }, true), { code: 'FILE_ERROR' })
      trap.arm('LOCK')
      await one.unlock({ offset: 0n, length: 5n })
      await two.lock({ offset: 4n, length: 1n }, true)
      await assert.rejects(two.lock({ offset: 14n, length: 1n }, true), { code: 'FILE_ERROR' })
      const waits = two.lock({ offset: 12n, length: 1n }, true, { signal: AbortSignal.timeout(60_000) })
      trap.arm('READ')
      await one.read(0, 1)
      await one.unlock({ offset: 10n, length: 5n })
      await waits
      for (const open of [one, two]) assert.equal((await open.close()).how, 'clean')
    })
    await nothingLeft(lab)
  })

  test('an open that was renamed here is opened again under its new name', async () => {
    const lab = await useLab()
    const { told } = await scene(lab, async ({ files }, trap) => {
      await files.makeDirectory('old')
      await make(files, 'old\\file', 'text')
      const file = await files.open('old\\file', { read: true })
      await files.rename('old\\file', 'old\\renamed', false)
      trap.arm('READ')
      assert.equal(String(await file.read(0, 9)), 'text')
      await file.close()
    })
    assert.deepEqual(told, ['reconnected'])
    await nothingLeft(lab)
  })

  test('a second login that is refused is never tried again, and the key is wiped at once', async () => {
    const lab = await useLab()
    const account = (flags: string): Promise<string> => lab.server().tool('pdbedit', '--modify', '--user', 'alice', '--account-control', `[${flags}]`)
    const trap = new Trap()
    {
      await using between = await proxy({ host: lab.server().address, port: 445 }, trap)
      const { files, credentials, told, close } = await lasting(lab, between.port)
      await account('D')
      try {
        trap.arm('CREATE')
        for (let i = 0; i < 3; i++) await assert.rejects(files.stat(''), { code: 'ACCOUNT_DISABLED', facts: { errno: 'EIO' } })
        assert.throws(() => credentials.key?.bytes, { code: 'CLOSED' })
        assert.equal(between.taken, 2)
        assert.equal(told.length, 1)
        assert.match(told[0] ?? '', /^lost: .*STATUS_ACCOUNT_DISABLED/)
        const steps = await close()
        assert.deepEqual(
          steps.map(({ status }) => status),
          Array(4).fill('CONNECTION_LOST'),
        )
      } finally {
        await account('')
      }
    }
    await nothingLeft(lab)
  })

  test('on port 139 nothing is larger than its frames, even where the server forgets which port it is', async () => {
    const lab = await useLab()
    const clientGuid = randomBytes(16)
    const first = await lasting(lab, 445, { host: lab.server().address, clientGuid, transport: { host: lab.server().address, mode: 'tcp', timeoutMs: 20_000 } })
    const second = await lasting(lab, 139, {
      host: lab.server().address,
      clientGuid,
      transport: { host: lab.server().address, mode: 'nbt', timeoutMs: 20_000 },
    })
    const { connection } = second.lifeline
    assert.ok(connection instanceof Connection && connection.negotiated.maxWriteSize > 2 ** 17, 'it was handed over')
    const bytes = randomBytes(1_000_000)
    const file = await second.files.open('large', { read: true, write: true, disposition: 'create' })
    await file.write(0, bytes)
    assert.ok(bytes.equals(await file.read(0, bytes.length)))
    await file.close()
    for (const { close } of [second, first]) await close()
    await nothingLeft(lab)
  })

  test('a server that goes at every request is left alone after some tries', async () => {
    const lab = await useLab()
    const cut = new Set<Socket>() // an interim answer may come before the answer
    {
      await using between = await proxy(
        { host: lab.server().address, port: 445 },
        {
          fromServer(frame, { client, server }) {
            if (field.command(frame) !== COMMAND.READ) return frame
            cut.add(client)
            client.resetAndDestroy()
            server.destroy()
            return undefined
          },
        },
      )
      const { files, close } = await lasting(lab, between.port)
      await make(files, 'deadly', 'x')
      const file = await files.open('deadly', { read: true })
      await assert.rejects(file.read(0, 1), { code: 'CONNECTION_LOST' })
      assert.equal(cut.size, 4)
      await close()
    }
    await nothingLeft(lab)
  })
})
