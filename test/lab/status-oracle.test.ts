// What a server must answer to who ends things twice, too late, or in no session at all: this one does, and we know what it means.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { after, before, describe, test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import { namePacket } from '../../src/nbt/name-packets.ts'
import { parseName } from '../../src/nbt/names.ts'
import { statusRequest } from '../../src/nbt/name-messages.ts'
import { connect, type Client } from '../../src/smb/index.ts'
import type { CommandName as Smb1Command } from '../../src/smb/smb1/header.ts'
import type { Session as Smb1Session } from '../../src/smb/smb1/session.ts'
import { andX, empty as emptySmb1 } from '../../src/smb/smb1/simple.ts'
import type { Session } from '../../src/smb/smb2/session.ts'
import type { CommandName } from '../../src/smb/smb2/header.ts'
import { empty } from '../../src/smb/smb2/tree-connect.ts'
import { ALREADY_GONE, STATUS, statusName } from '../../src/smb/status.ts'
import { type Lab, startLab, type User } from './index.ts'
import { noLab } from './nbtrun.ts'

const BOGUS_TREE = 0xdead
const BOGUS_SESSION = 0xdead_beefn

describe('the status oracle', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    const old = ['server min protocol = NT1', 'server max protocol = NT1']
    lab = await startLab({ servers: { srv: { global: ['admin users = boss'] }, srv2: { global: old } }, clients: [] })
  })
  after(() => lab.dispose())
  const login = (user: User): Promise<Client> => connect(lab.server().address, { user, password: lab.password(user), domain: 'LAB' })

  /** What the words of a bare client are: requests by name, with whatever ids. */
  interface Bare {
    readonly tree: number
    readonly session: bigint
    /** In the session and signed, or with a `sessionId` of its own and unsigned. */
    readonly ask: (command: CommandName, more?: { readonly treeId?: number; readonly sessionId?: bigint }) => Promise<string>
  }
  async function bare(use: (bare: Bare) => Promise<void>): Promise<void> {
    await using client = await login('alice')
    const { files } = await client.tree('app')
    const session = client.session as Session
    const tree = (files as unknown as { readonly id: number }).id
    await use({
      tree,
      session: session.id,
      async ask(command, more = {}) {
        const call = { command, codec: empty, body: null, ...more }
        const reply = await (more.sessionId === undefined ? session.farewellRequest(call) : session.connection.request(call))
        return statusName(reply.header.status)
      },
    })
    const steps = (await client.close()).filter(({ phase }) => phase === 'teardown')
    assert.ok(
      steps.every(({ ok }) => ok),
      `what is gone already is no failure: ${JSON.stringify(steps)}`,
    )
    await lab.server().untilSessions(0)
  }
  const GONE = { tree: 'STATUS_NETWORK_NAME_DELETED', session: 'STATUS_USER_SESSION_DELETED' } as const

  for (const [what, use] of Object.entries<(bare: Bare) => Promise<void>>({
    'TREE_DISCONNECT twice, of TreeId 0 and of a bogus one': async ({ ask, tree }) => {
      assert.equal(await ask('TREE_DISCONNECT', { treeId: tree }), 'STATUS_SUCCESS')
      for (const treeId of [tree, 0, BOGUS_TREE]) assert.equal(await ask('TREE_DISCONNECT', { treeId }), GONE.tree, `TreeId ${treeId}`)
    },
    'LOGOFF while trees are connected': async ({ ask }) => {
      assert.equal(await ask('LOGOFF'), 'STATUS_SUCCESS')
    },
    'TREE_DISCONNECT after LOGOFF': async ({ ask, tree }) => {
      assert.equal(await ask('LOGOFF'), 'STATUS_SUCCESS')
      assert.equal(await ask('TREE_DISCONNECT', { treeId: tree }), GONE.session)
    },
    'LOGOFF twice, of SessionId 0 and of a bogus one': async ({ ask }) => {
      assert.equal(await ask('LOGOFF'), 'STATUS_SUCCESS')
      assert.equal(await ask('LOGOFF'), GONE.session)
      for (const sessionId of [0n, BOGUS_SESSION]) assert.equal(await ask('LOGOFF', { sessionId }), GONE.session, `SessionId ${sessionId}`)
    },
    'ECHO after LOGOFF, of no session and of the dead one': async ({ ask, session }) => {
      assert.equal(await ask('LOGOFF'), 'STATUS_SUCCESS')
      for (const sessionId of [0n, session]) assert.equal(await ask('ECHO', { sessionId }), 'STATUS_SUCCESS', `SessionId ${sessionId}`)
    },
  }))
    test(`${what}: answered as it must be, and the teardown is none the worse`, () => bare(use))

  test('in SMB1: its own errors for ids that are none, and trees that survive LOGOFF_ANDX', async () => {
    const terms = { minDialect: 'NT1', maxDialect: 'NT1' } as const
    const client = await connect(lab.server('srv2').address, { user: 'alice', password: lab.password(), domain: 'LAB', ...terms })
    const trees = await Promise.all(['files', 'files', 'files'].map(share => client.tree(share)))
    const [first, second] = trees.map(({ files }) => (files as unknown as { readonly id: number }).id)
    const session = client.session as unknown as Smb1Session
    const ask = async (command: Smb1Command, ids: { readonly uid?: number; readonly tid?: number } = {}): Promise<string> => {
      const codec = command === 'LOGOFF_ANDX' ? andX : emptySmb1
      return statusName((await session.connection.request({ command, codec, body: null, uid: Number(session.id), ...ids })).header.status)
    }
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(await ask('TREE_DISCONNECT', { tid: first }), 'STATUS_SUCCESS')
    for (const tid of [first, 0, BOGUS_TREE]) assert.equal(await ask('TREE_DISCONNECT', { tid }), 'STATUS_SMB_BAD_TID', `TID ${tid}`)
    assert.equal(await ask('LOGOFF_ANDX'), 'STATUS_SUCCESS', 'while trees are connected')
    assert.equal(await ask('TREE_DISCONNECT', { tid: second }), 'STATUS_SUCCESS', 'after LOGOFF_ANDX')
    for (const uid of [Number(session.id), 0, 0xdead]) assert.equal(await ask('LOGOFF_ANDX', { uid }), 'STATUS_SMB_BAD_UID', `UID ${uid}`)
    await session.echo(20_000)
    const steps = (await client.close()).filter(({ phase }) => phase === 'teardown')
    assert.ok(
      steps.every(({ ok }) => ok),
      `what is gone already is no failure: ${JSON.stringify(steps)}`,
    )
    await lab.server('srv2').untilSessions(0)
  })

  test('and all that says so means that what was to be ended is ended', () => {
    assert.ok([STATUS.NETWORK_NAME_DELETED, STATUS.USER_SESSION_DELETED].every(status => ALREADY_GONE.has(status)))
  })

  test('NetrSessionEnum at levels 1 and 0 only, NetrServerGetInfo at 102 and not 502 or 1010, and NetrConnectionEnum names nobody', async () => {
    await using boss = await login('boss')
    const service = await boss.service()
    const { level, sessions } = await service.sessions()
    assert.equal(level, 1)
    assert.deepEqual(
      sessions.map(({ user, idle }) => [user, idle]),
      [['boss', null]],
    )
    assert.equal((await service.info(102)).disc, 15)
    for (const unknown of [502, 1010] as const)
      await assert.rejects(service.info(unknown), { facts: { status: 124, name: 'ERROR_INVALID_LEVEL', errno: 'EIO' } })
    for (const { user, client } of await service.connections('app')) assert.deepEqual([user, client], [null, null])
    await assert.rejects(service.connections('no share?'), { facts: { status: 123, name: 'ERROR_INVALID_NAME', errno: 'EIO' } })
  })

  test('NetrSessionEnum and NetrConnectionEnum are for administrators', async () => {
    await using alice = await login('alice')
    const service = await alice.service()
    await assert.rejects(service.sessions(), { code: 'ACCESS_DENIED' })
    await assert.rejects(service.connections('app'), { code: 'ACCESS_DENIED' })
  })

  test('NetrSessionDel that fits nobody is denied; one that fits who asks ends the connection before its answer', async () => {
    const boss = await login('boss')
    const service = await boss.service()
    await assert.rejects(service.endSessions('198.18.0.77', 'nobodyhere'), { code: 'ACCESS_DENIED' })
    await lab.server().untilSessions(1)
    await assert.rejects(service.endSessions(null, 'boss'), { code: 'CONNECTION_LOST' })
    const steps = (await boss.close()).filter(({ phase }) => phase === 'teardown')
    assert.deepEqual(new Set(steps.map(({ ok, status }) => `${ok} ${status}`)), new Set(['true CONNECTION_LOST']), 'nothing is left to give back')
    await lab.server().untilSessions(0)
  })

  test('a node status of a name that the node has not is not answered', async () => {
    const answered: number[] = []
    const socket = createSocket('udp4').on('message', bytes => answered.push(decode(namePacket, bytes).id))
    const ask = (id: number, name: string): void => socket.send(encode(namePacket, statusRequest(id, parseName(name, 0x20))), 137, lab.server().address)
    try {
      ask(1, 'NOBODYHERE')
      ask(2, 'SRV')
      ask(3, 'NOBODYHERE')
      ask(4, 'SRV')
      while (!answered.includes(4)) await once(socket, 'message')
      assert.deepEqual(answered, [2, 4])
    } finally {
      socket.close()
    }
  })
})
