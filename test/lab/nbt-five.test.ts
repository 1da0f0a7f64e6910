// Five servers that are known by their IP address alone, on port 139 (Q251166): what stands behind each is a real smbd.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, connect, type Socket } from 'node:net'
import { before, describe, test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import { callSession } from '../../src/nbt/call.ts'
import { type Endpoint, openUdp } from '../../src/nbt/endpoint.ts'
import { statusResponse } from '../../src/nbt/name-messages.ts'
import { namePacket, RECORD, type StatusName } from '../../src/nbt/name-packets.ts'
import { parseName, spellName } from '../../src/nbt/names.ts'
import { type SessionPacket, sessionPacket } from '../../src/nbt/session.ts'
import { type Lab, type Outcome, useLab } from './index.ts'
import { nbtrun, noMapping, nothingLeft, script } from './nbtrun.ts'

const FILES = parseName('FILES', 0x20)
const REFUSED: SessionPacket = { type: 'negative', reason: 0x82 }

interface Role {
  /** What a call of this name gets. */
  readonly answer: (called: string) => 'taken' | SessionPacket
  /** Whether UDP 137 answers, or is dropped on the way. */
  readonly node: 'answers' | 'dropped'
}

/** Plays a server on this machine's address in the lab; `calls` and `asked` are what came. */
class Player implements AsyncDisposable {
  readonly calls: string[] = []
  asked = 0
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer(socket => void this.#serve(socket))
  readonly #role: Role
  readonly #behind: string
  #udp: Endpoint | undefined

  private constructor(role: Role, behind: string) {
    this.#role = role
    this.#behind = behind
  }

  static async start(address: string, role: Role, behind: string): Promise<Player> {
    const player = new Player(role, behind)
    player.#server.listen(139, address)
    await once(player.#server, 'listening')
    const udp = await openUdp({ address, port: 137 })
    player.#udp = udp
    udp.receive((bytes, from) => {
      player.asked++
      const { id, question } = decode(namePacket, bytes)
      if (role.node === 'dropped' || question?.type !== RECORD.NBSTAT) return
      const line: StatusName = { name: FILES, group: false, nodeType: 'B', releasing: false, conflict: false, active: true, permanent: false }
      void udp.send(encode(namePacket, statusResponse(id, question.name, [line], '00:00:00:00:00:00')), from)
    })
    return player
  }

  async #serve(socket: Socket): Promise<void> {
    this.#keep(socket)
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    const request = decode(sessionPacket, bytes)
    assert.ok(request.type === 'request')
    const called = spellName(request.called)
    this.calls.push(called)
    const answer = this.#role.answer(called)
    if (answer !== 'taken') return void socket.end(encode(sessionPacket, answer))
    const smbd = this.#keep(connect(139, this.#behind))
    await once(smbd, 'connect')
    await callSession(smbd, { called: parseName('SRV', 0x20), calling: request.calling }, 5000)
    socket.write(encode(sessionPacket, { type: 'positive' }))
    socket.pipe(smbd).pipe(socket)
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
    await this.#udp?.close()
  }
}

describe('five servers by their IP address on port 139', { skip: noMapping, timeout: 110_000 }, () => {
  let lab: Lab
  let here: string
  before(async () => {
    lab = await useLab()
    here = lab.server().address.replace(/\.\d+$/, '.254')
    script(lab, 'work', 'echo ran')
  })

  const run = () => nbtrun(lab, ['{mount}/work'], { share: `//${here}/app`, options: ['--transport', 'nbt'] })
  /** Q251166's NET VIEW of an address. */
  const shares = () => lab.run('client1', ['nbtrun', 'shares', `//${here}`, '--transport', 'nbt', '--auth-file', lab.authFile()])
  const listed = ({ code, stdout, stderr }: Outcome): void => {
    assert.deepEqual([code, stderr], [0, ''])
    for (const share of ['app +disk', 'cad +disk', 'IPC\\$ +IPC']) assert.match(stdout, new RegExp(`^${share} `, 'm'))
  }

  for (const [title, role, calls, asked] of [
    ['takes *SMBSERVER', { answer: () => 'taken', node: 'answers' }, ['*SMBSERVER<20>'], false],
    [
      'refuses *SMBSERVER, its port 137 answers',
      { answer: called => (called === 'FILES<20>' ? 'taken' : REFUSED), node: 'answers' },
      ['*SMBSERVER<20>', 'FILES<20>'],
      true,
    ],
    ['takes *SMBSERVER, its port 137 is dropped', { answer: () => 'taken', node: 'dropped' }, ['*SMBSERVER<20>'], false],
  ] as const satisfies readonly (readonly [string, Role, readonly string[], boolean])[]) {
    test(`${title}: the program runs, and its shares are listed`, async () => {
      await using player = await Player.start(here, role, lab.server().address)
      const { code, stdout, stderr } = await run()
      assert.deepEqual([code, stdout, stderr], [0, 'ran\n', ''])
      assert.deepEqual([player.calls, player.asked > 0], [calls, asked])
      listed(await shares())
      assert.deepEqual(player.calls, [...calls, ...calls])
      await nothingLeft(lab)
    })
  }

  test('sends callers to another host: the program runs there, and its shares are listed', async () => {
    const retarget: SessionPacket = { type: 'retarget', address: lab.server().address, port: 139 }
    await using player = await Player.start(here, { answer: () => retarget, node: 'dropped' }, lab.server().address)
    const { code, stdout, stderr } = await run()
    assert.deepEqual([code, stdout, stderr], [0, 'ran\n', ''])
    assert.deepEqual(player.calls, ['*SMBSERVER<20>'])
    listed(await shares())
    assert.deepEqual(player.calls, ['*SMBSERVER<20>', '*SMBSERVER<20>'])
    await nothingLeft(lab)
  })

  test('refuses all, its port 137 is dropped: one line within 5 s that names both attempts', async () => {
    await using player = await Player.start(here, { answer: () => REFUSED, node: 'dropped' }, lab.server().address)
    const { code, stdout, stderr, ms } = await run()
    assert.deepEqual([code, stdout], [125, ''])
    assert.match(
      stderr,
      /^nbtrun: 198\.18\.\d+\.254: called name \*SMBSERVER<20> refused: 0x82 \(called name not present\), node status: no answer within [\d.]+ s; .*CALLED_NAME_REFUSED.*\n$/,
    )
    assert.ok(ms < 5000, `${ms} ms`)
    assert.deepEqual([player.calls, player.asked], [['*SMBSERVER<20>'], 3])
    await nothingLeft(lab)
  })
})
