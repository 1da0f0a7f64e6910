import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { connect, type Client } from '../../src/smb/index.ts'
import { type Lab, useLab, type User } from './index.ts'
import { noLab } from './nbtrun.ts'

describe('the server service of a Samba', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const login = (user: User): Promise<Client> => connect(lab.server().address, { user, password: lab.password(user), domain: 'LAB' })

  test('tells an administrator of sessions, connections and files, and closes a file', async () => {
    await using alice = await login('alice')
    const app = await alice.tree('app')
    await app.writeFile('held', Buffer.from('x'))
    const open = await app.files.open('held', { read: true })
    await using boss = await login('boss')
    const service = await boss.service()
    const { sessions } = await service.sessions()
    assert.deepEqual(sessions.map(({ user, opens }) => `${user} ${opens}`).sort(), ['alice 1', 'boss 0'])
    assert.deepEqual(
      (await service.connections('app')).map(({ share, user, client }) => [share, user, client]),
      [['app', null, null]], // who it is, Samba does not say
    )
    await assert.rejects(service.connections('nothing\\of:the kind'), { code: 'SERVER_REFUSED' })
    const [file, ...others] = await service.files()
    assert.deepEqual([file?.user, file?.path.split('\\').at(-1), others.length], ['alice', 'held', 0])
    await service.closeFile(file!.id)
    for (let files = await service.files(); files.length > 0; files = await service.files());
    await assert.rejects(open.read(0, 1))
    await service.close()
    await assert.rejects(service.shares(), { code: 'CLOSED' })
  })

  test('has its own idea of settings: 102, not 502 nor 1010, and a change that it takes without a word changes nothing', async () => {
    await using boss = await login('boss')
    const service = await boss.service()
    assert.equal((await service.info(102)).disc, 15)
    assert.equal((await service.info(101)).name, 'SRV')
    for (const level of [502, 1010] as const) await assert.rejects(service.info(level), { facts: { status: 124, name: 'ERROR_INVALID_LEVEL', errno: 'EIO' } })
    await service.setInfo(1010, { disc: 20 })
    assert.equal((await service.info(102)).disc, 15)
  })

  test('tells ordinary users what is shared, and nothing of others; many may ask at once', async () => {
    await using alice = await login('alice')
    const service = await alice.service()
    await assert.rejects(service.sessions(), { code: 'ACCESS_DENIED' })
    await assert.rejects(service.files(), { code: 'ACCESS_DENIED' })
    await assert.rejects(service.endSessions(null, 'boss'), { code: 'ACCESS_DENIED' })
    for (const [client, user] of [
      [null, null],
      ['', ''],
      ['', null],
    ] as const)
      await assert.rejects(service.endSessions(client, user), { code: 'USAGE' })
    const all = await Promise.all(Array.from({ length: 20 }, () => service.shares()))
    for (const shares of all) assert.ok(shares.some(({ name, kind }) => name === 'app' && kind === 'disk'))
  })
})
