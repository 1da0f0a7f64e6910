import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, missing, useLab } from './index.ts'

const skip = missing('lab')

test('the server counts a session and its tree connect while it lasts', { skip }, async () => {
  const lab = await useLab()
  const srv = lab.server()
  assert.deepEqual([await srv.sessions(), await srv.treeConnects(), srv.workers()], [[], [], []])
  const program = lab.spawn('client1', ['smbclient', '-A', lab.authFile(), '//srv/app'], { stdin: 'pipe', user: 'alice' })
  await srv.untilTrees(1)
  const [session] = await srv.sessions()
  const address = lab.host('client1').address
  assert.deepEqual([session?.user, session?.address, session?.dialect, session?.signing], ['alice', address, 'SMB3_11', 'AES-128-GMAC'])
  const trees = await srv.treeConnects()
  assert.deepEqual(
    trees.map(tree => [tree.share, tree.session, tree.address]),
    [['app', session?.id, address]],
  )
  assert.equal(srv.workers().length, 1)
  program.stdin?.end('quit\n')
  await program
  await srv.untilWorkers(0)
  await srv.untilSessions(0)
  await srv.untilTrees(0)
})

test('a count that does not come is an error that says what was counted', { skip }, async () => {
  const lab = await useLab()
  await assert.rejects(lab.server().untilSessions(1, 10), /0 sessions on srv after 10 ms, not 1/)
})

test('the metered share refuses the second user and takes the next one', { skip }, async () => {
  const lab = await useLab()
  const ask = (user: 'alice' | 'bob'): string[] => ['smbclient', '-A', lab.authFile(user), '//srv/cad']
  const holder = lab.spawn('client1', ask('alice'), { stdin: 'pipe' })
  await lab.server().untilTrees(1)
  const refused = await lab.run('client2', [...ask('bob'), '-c', 'ls'])
  assert.match(refused.stdout, /NT_STATUS_INSUFFICIENT_RESOURCES/)
  holder.stdin?.end('quit\n')
  await holder
  await lab.server().untilWorkers(0)
  assert.equal((await lab.run('client2', [...ask('bob'), '-c', 'ls'])).code, 0)
})

test('the private share refuses alice and lets boss in', { skip }, async () => {
  const lab = await useLab()
  const ask = (user: 'alice' | 'boss'): Promise<{ stdout: string }> =>
    lab.run('client1', ['smbclient', '-A', lab.authFile(user), '//srv/private', '-c', 'put /etc/hostname name; ls'])
  assert.match((await ask('alice')).stdout, /NT_STATUS_ACCESS_DENIED/)
  assert.match((await ask('boss')).stdout, /^ {2}name /m)
})

test('the share `readonly` refuses a write', { skip }, async () => {
  const lab = await useLab()
  const { stdout } = await lab.run('client1', ['smbclient', '-A', lab.authFile(), '//srv/readonly', '-c', 'put /etc/hostname name'])
  assert.match(stdout, /NT_STATUS_ACCESS_DENIED/)
})

test('boss is an administrator of the server, alice is not', { skip }, async () => {
  const lab = await useLab()
  const ask = (user: 'alice' | 'boss'): Promise<{ stdout: string }> => lab.run('client1', ['rpcclient', '-A', lab.authFile(user), 'srv', '-c', 'netsessenum'])
  assert.match((await ask('boss')).stdout, /Received \d+ entries/)
  assert.match((await ask('alice')).stdout, /ACCESS_DENIED/)
})

for (const port of [445, 139] as const) {
  test(`a recording of port ${port} has the whole conversation, from the first packet to the last FIN`, { skip: missing('lab', 'capture') }, async () => {
    const lab = await useLab()
    const capture = await lab.capture('srv')
    await lab.run('client1', ['smbclient', '-p', String(port), '-A', lab.authFile(), '//srv/app', '-c', 'ls'])
    const { streams, complaints } = await judge(await capture.stop())
    assert.equal(streams.length, 1)
    const [stream] = streams
    assert.ok(stream !== undefined)
    const [here, there] = [lab.host('client1').address, lab.server().address]
    assert.deepEqual([stream.client, stream.server, stream.port], [here, there, port])
    assert.deepEqual(stream.sessionService, port === 139 ? ['request', 'positive'] : [])
    const spoken = stream.commands.filter(({ response }) => !response).map(({ command, path }) => `${command} ${path ?? ''}`.trim())
    assert.deepEqual(spoken.slice(0, 3), ['NEGOTIATE', 'SESSION_SETUP', 'SESSION_SETUP'])
    assert.equal(spoken.at(-1), String.raw`TREE_DISCONNECT \\srv\app`)
    assert.equal(stream.commands.at(-1)?.status, 0)
    assert.match(stream.clientGuid ?? '', /^[0-9a-f-]{36}$/)
    assert.deepEqual(
      stream.ends.map(({ kind, from }) => [kind, from]),
      [
        ['FIN', here],
        ['FIN', there],
      ],
    )
    assert.deepEqual(complaints, [])
  })
}

test('the judge opens an encrypted conversation with the password, and only with it', { skip: missing('lab', 'capture') }, async () => {
  const lab = await useLab()
  const capture = await lab.capture('srv')
  await lab.run('client1', ['smbclient', '--client-protection=encrypt', '-A', lab.authFile(), '//srv/app', '-c', 'ls'])
  const pcap = await capture.stop()
  const said = async (password?: string): Promise<readonly [boolean, readonly string[]]> => {
    const { streams, complaints } = await judge(pcap, password === undefined ? {} : { password })
    assert.deepEqual(complaints, [])
    return [streams[0]!.sealed > 0, streams[0]!.commands.filter(({ response }) => !response).map(({ command }) => command)]
  }
  const [sealed, opened] = await said(lab.password())
  assert.deepEqual([sealed, opened.at(-1)], [true, 'TREE_DISCONNECT'])
  assert.deepEqual(await said(), [true, ['NEGOTIATE', 'SESSION_SETUP', 'SESSION_SETUP']])
})

test('the judge names a broken packet and who sent it', { skip: missing('lab', 'capture') }, async () => {
  const lab = await useLab()
  const capture = await lab.capture('srv')
  // a NEGOTIATE request that claims more dialects than it has. [MS-SMB2] 2.2.3
  const header = `fe534d42${'4000'}${'00'.repeat(58)}`
  const broken = `00000068${header}24000500${'00'.repeat(32)}11031103`
  const send = `printf '%s' ${broken} | sed 's/../\\\\x&/g' | { read -r hex; printf "$hex"; } >/dev/tcp/srv/445`
  assert.equal((await lab.run('client1', ['bash', '-c', send])).code, 0)
  const judgement = await judge(await capture.stop())
  assert.ok(judgement.malformed(lab.host('client1').address).length > 0)
  assert.deepEqual(judgement.malformed('198.51.100.1'), [])
})
