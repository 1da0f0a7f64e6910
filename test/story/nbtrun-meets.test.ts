// The whole program against peers that lie: each run ends in a bounded time, says why in one line with a code, stays small and leaves nothing.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { text } from 'node:stream/consumers'
import { COMMAND, FLAG } from '../../src/smb/smb2/header.ts'
import { STATUS } from '../../src/smb/status.ts'
import { REPOSITORY } from '../lab/client.ts'
import { type Lab, missing, useLab } from '../lab/index.ts'
import { field, type Meddler, proxy, type Wire } from './proxy.ts'
import { framed } from './story.ts'

const KEEPALIVE = Buffer.from('85000000', 'hex')
const MIB = 2 ** 20
const MEMORY = 200 * MIB
/** A program that asks a dozen times may wait for a few of its answers, and who pours words into a run takes its processor. */
const PATIENCE_MS = 60_000

const isRead = (frame: Buffer): boolean => frame.length >= 64 && field.command(frame) === COMMAND.READ && field.status(frame) === STATUS.SUCCESS

/** Writes without end while the client takes it, never more than it takes. */
function pour({ client }: Wire, bytes: Buffer): void {
  const more = (): void => {
    while (!client.destroyed && client.writable && client.write(bytes));
    if (!client.destroyed && client.writable) client.once('drain', () => setImmediate(more))
  }
  more()
}

interface Peer {
  readonly name: string
  /** --io-timeout; 4s where the run fails, 20s where it goes well. */
  readonly patience?: string
  /** More options of the run. */
  readonly options?: readonly string[]
  /** The codes of the lines that nbtrun says of it, in their order; none: the run goes well. */
  readonly codes: readonly string[]
  readonly meddler: () => Meddler
}

const PEERS: readonly Peer[] = [
  {
    name: 'flips a bit of what is read',
    codes: ['BAD_SIGNATURE'],
    meddler: () => ({ fromServer: frame => (isRead(frame) && (frame[frame.length - 1]! ^= 1), frame) }),
  },
  {
    name: 'flips a bit of what is read, to a run with --strict-teardown',
    options: ['--strict-teardown'],
    codes: ['BAD_SIGNATURE', 'TEARDOWN_FAILED'],
    meddler: () => ({ fromServer: frame => (isRead(frame) && (frame[frame.length - 1]! ^= 1), frame) }),
  },
  {
    name: 'cuts a frame short and stalls',
    codes: ['CONNECTION_LOST'],
    meddler: () => {
      let stalled = false
      return {
        fromServer(frame, { client }) {
          if (!stalled && isRead(frame)) client.write(framed(frame).subarray(0, 40))
          stalled ||= isRead(frame)
          return stalled ? undefined : frame
        },
      }
    },
  },
  {
    name: 'ends each answer ten bytes early',
    codes: ['WIRE'],
    meddler: () => ({ fromServer: frame => frame.subarray(0, frame.length - 10) }),
  },
  {
    name: 'announces 16 MB in place of an answer, and sends zeros for ever',
    codes: ['WIRE'],
    meddler: () => ({
      fromServer(frame, wire) {
        if (!isRead(frame)) return frame
        wire.client.write(Buffer.from('00ffffff', 'hex'))
        pour(wire, Buffer.alloc(65_536))
        return undefined
      },
    }),
  },
  {
    name: 'sends keepalives without end from its first word on',
    codes: [],
    meddler: () => {
      let poured = false
      return {
        fromServer(frame, wire) {
          if (!poured) pour(wire, Buffer.concat(Array.from({ length: 1000 }, () => KEEPALIVE)))
          poured = true
          return frame
        },
      }
    },
  },
  {
    name: 'says everything three times',
    codes: [],
    meddler: () => ({ fromServer: (frame, { client }) => (client.write(framed(frame)), client.write(framed(frame)), frame) }),
  },
  {
    name: 'answers in pairs, the second first',
    codes: [],
    meddler: () => {
      let held: Buffer | undefined
      return {
        fromServer(frame, { client }) {
          const first = held
          held = undefined
          if (first !== undefined) {
            client.write(framed(frame))
            return first
          }
          held = frame
          setTimeout(() => {
            if (held === frame) client.write(framed(frame))
            if (held === frame) held = undefined
          }, 20)
          return undefined
        },
      }
    },
  },
  {
    name: 'gives each answer to the request before',
    codes: ['WIRE'], // at the ECHO, when the first request waits too long, and before it is given up
    patience: '4s',
    meddler: () => ({
      fromServer(frame) {
        if (frame.length >= 64 && field.command(frame) > COMMAND.TREE_CONNECT) frame.writeBigUInt64LE(field.messageId(frame) - 1n, 24)
        return frame
      },
    }),
  },
  {
    name: 'says a million things that nobody asked for',
    codes: [],
    meddler: () => {
      let said = false
      return {
        fromServer(frame, { client }) {
          if (said || !isRead(frame)) return frame
          said = true
          const unasked = Buffer.from(frame)
          unasked.writeBigUInt64LE(2n ** 40n, 24)
          const batch = Buffer.concat(Array.from({ length: 1000 }, () => framed(unasked.subarray(0, 80))))
          let left = 1000
          const more = (): void => {
            while (left > 0 && !client.destroyed) {
              left--
              if (!client.write(batch)) return void client.once('drain', more)
            }
            if (!client.destroyed) client.write(framed(frame))
          }
          more()
          return undefined
        },
      }
    },
  },
  {
    name: 'gives a million interim answers and no final one',
    codes: ['TIMED_OUT'],
    patience: '4s',
    meddler: () => ({
      fromServer(frame, { client }) {
        if (!isRead(frame)) return frame
        const interim = Buffer.alloc(64 + 9)
        frame.copy(interim, 0, 0, 48)
        interim.writeUInt32LE(STATUS.PENDING, 8)
        interim.writeUInt32LE(FLAG.SERVER_TO_REDIR | FLAG.ASYNC, 16)
        const batch = Buffer.concat(Array.from({ length: 1000 }, () => framed(interim)))
        let left = 1000
        const more = (): void => {
          while (left > 0 && !client.destroyed) {
            left--
            if (!client.write(batch)) return void client.once('drain', more)
          }
        }
        more()
        return undefined
      },
    }),
  },
  {
    name: 'vanishes in the middle of an answer',
    codes: ['CONNECTION_LOST'],
    meddler: () => ({
      fromServer(frame, { client, server }) {
        if (!isRead(frame)) return frame
        client.end(framed(frame).subarray(0, 50))
        server.destroy()
        return undefined
      },
    }),
  },
]

/** In a folder of its own: a listing must not meet what the next test removes. */
const USE = `cd "$1" && mkdir "$2" && cd "$2" && echo some words > note && cat note && ls -l . && rm note && cd .. && rmdir "$2"`

describe('nbtrun meets a server that', { skip: missing('lab', 'fuse'), concurrency: 2, timeout: 800_000 }, () => {
  let lab: Lab
  const place = mkdtempSync(join(tmpdir(), 'story-'))
  const state = mkdtempSync(join(tmpdir(), 'story-state-')) // a lost session stays in the journal
  before(async () => {
    lab = await useLab()
  })
  after(async () => {
    await lab.server().untilSessions(0)
    assert.deepEqual(readdirSync(place), [], 'folders of runs')
    rmSync(place, { recursive: true })
    rmSync(state, { recursive: true })
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /fuse\.nbtrun/)
  })

  for (const { name, codes, meddler, options = [], patience = codes.length === 0 ? '20s' : '4s' } of PEERS) {
    test(`${name}: ${codes.length === 0 ? 'the run goes well' : `says ${codes.join(', ')}`}, soon, in little memory`, async () => {
      await using between = await proxy({ host: lab.server().address, port: 445 }, meddler())
      const own = [
        '--share',
        '//127.0.0.1/app',
        '--port',
        `${between.port}`,
        '--auth-file',
        lab.authFile(),
        '--io-timeout',
        patience,
        '--teardown-timeout',
        '5s',
        ...options,
      ]
      const program = ['/bin/sh', '-c', `(${USE}) >/dev/null 2>&1`, 'sh', '{mount}', `met-${name.replaceAll(' ', '-')}`]
      const env = { PATH: process.env['PATH'] ?? '', XDG_RUNTIME_DIR: place, XDG_STATE_HOME: state, HOME: place }
      const began = performance.now()
      const child = spawn(process.execPath, [join(REPOSITORY, 'bin', 'nbtrun.js'), ...own, '--', ...program], { env, stdio: ['ignore', 'ignore', 'pipe'] })
      const highest = watchMemory(child.pid ?? 0)
      const exited = new Promise<number | null>(resolve => child.once('close', resolve))
      const [said, exit] = await Promise.all([text(child.stderr), exited])
      const ms = performance.now() - began
      assert.ok(ms < PATIENCE_MS, `${Math.round(ms)} ms`)
      assert.ok(highest() > 10 * MIB && highest() < MEMORY, `${Math.round(highest() / MIB)} MiB`)
      const lines = said.split('\n').slice(0, -1)
      const told = lines.map(line => /^nbtrun: .* \[([A-Z_]+)\]$/.exec(line)?.[1] ?? line.replace(/^nbtrun: closing .* took longer .*$/, 'closing'))
      assert.deepEqual([told, exit === 0], [codes, codes.length === 0], said)
    })
  }
})

/** The most memory that a process ever had resident, as far as it was seen, bytes. */
function watchMemory(pid: number): () => number {
  let most = 0
  const look = (): void => {
    try {
      const [, kib = '0'] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
      most = Math.max(most, Number(kib) * 1024)
    } catch {
      clearInterval(timer) // it is gone
    }
  }
  const timer = setInterval(look, 20)
  return () => {
    clearInterval(timer)
    return most
  }
}
