import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import { STATUS } from '../../src/smb/status.ts'
import type { Receipt } from '../../src/run/receipt.ts'
import { judge, KEYS, type Lab, missing, startLab, type Stream } from './index.ts'
import { type Call, here, nbtrun, nbtrunReceipt, noLab, nothingLeft, words } from './nbtrun.ts'

const SHARES = { seats: ['read only = no', 'max connections = 3'] }
/** Of `--events`. */
interface Line {
  readonly type: string
  readonly at: string
  readonly place?: number
  readonly lack?: string
  readonly nextMs?: number
}

/** Sessions alone: what is tested is the same in every way of mapping. */
const NONE = ['--mapping', 'none', '--grace', '0']

describe('waiting for a seat', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ servers: { srv: { shares: SHARES }, srv2: {} } })
  })
  after(() => lab?.dispose())

  /** Takes the one seat of `cad`; resolves when it is held. */
  async function hold(client = 'client1') {
    const run = lab.spawn(client, words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { share: '//srv/cad', options: NONE }))
    for await (const chunk of run.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    const release = async (): Promise<void> => {
      run.stdin?.end('\n')
      await run
    }
    return { run, release }
  }
  /** A run that waits for the same seat, and the events that it writes. */
  function wait(name: string, options: readonly string[] = ['--wait', '60s'], call: Call = {}) {
    const events = here(lab, `${name}.events`, call)
    const run = lab.spawn(
      call.client ?? 'client1',
      words(lab, ['/bin/true'], { ...call, share: '//srv/cad', options: [...NONE, ...options, '--events', events] }),
      call,
    )
    const lines = (): Line[] => {
      try {
        return readFileSync(events, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map(line => JSON.parse(line))
      } catch {
        return []
      }
    }
    const until = async (what: (line: Line) => boolean): Promise<void> => {
      const dueAt = performance.now() + 120_000
      while (!lines().some(what)) {
        if (performance.now() > dueAt) throw new Error(`${name}: ${JSON.stringify(lines()).slice(-500)}`)
        await pause(10)
      }
    }
    return { run, lines, until, queued: () => until(line => line.type === 'queued') }
  }

  test('a seat that a run on this machine gives back is taken at once, not at the next try', async () => {
    const { release } = await hold()
    const waiter = wait('at-once')
    // until its back-off is long: what follows cannot be chance
    await waiter.until(line => (line.nextMs ?? 0) > 6000)
    await release()
    assert.equal((await waiter.run).exitCode, 0)
    const [queued, dequeued] = [waiter.lines().findLast(({ type }) => type === 'queued'), waiter.lines().find(({ type }) => type === 'dequeued')]
    assert.ok(queued?.nextMs !== undefined && dequeued !== undefined)
    // its next try would have begun only then
    const early = Date.parse(queued.at) + queued.nextMs - Date.parse(dequeued.at)
    assert.ok(early > 0, `${early} ms`)
    await nothingLeft(lab)
  })

  test('between two tries the server has no session of the one that waits', async () => {
    const { release } = await hold()
    const waiter = wait('none-held')
    await waiter.until(line => (line.nextMs ?? 0) > 1500)
    /** When its next try begins, as far as it has told; `at` is the same clock. */
    const next = (): number => waiter.lines().reduce((last, { at, nextMs = 0 }) => Math.max(last, Date.parse(at) + nextMs), 0)
    for (let looks = 0; looks < 10; ) {
      const [due, sessions] = [next(), await lab.server().sessions()]
      if (Date.now() >= due || next() !== due) continue // it may have tried meanwhile
      assert.equal(sessions.length, 1)
      looks++
    }
    await release()
    assert.equal((await waiter.run).exitCode, 0)
    await nothingLeft(lab)
  })

  test('a seat that another host gives back is taken within the back-off', async () => {
    const { release } = await hold('client2')
    const waiter = wait('elsewhere')
    await waiter.queued()
    await release()
    const free = Date.now()
    assert.equal((await waiter.run).exitCode, 0)
    const [last, dequeued] = [waiter.lines().findLast(({ type }) => type === 'queued'), waiter.lines().find(({ type }) => type === 'dequeued')]
    assert.ok(last?.nextMs !== undefined && dequeued !== undefined)
    // the pause that it had told may have begun just before the seat was free; the rest is its login
    const late = Date.parse(dequeued.at) - free - last.nextMs
    assert.ok(late < 3000, `${late} ms after its next try`)
    await nothingLeft(lab)
  })

  test('without --wait a full share is 75 at once, or what --busy-exit-code says', async () => {
    const { release } = await hold()
    const plain = await nbtrun(lab, ['/bin/true'], { share: '//srv/cad', options: NONE })
    assert.equal(plain.code, 75)
    assert.match(
      plain.stderr,
      /^nbtrun: [^\n]*\/\/srv\/cad[^\n]*full[^\n]*; add --wait 10m to queue, nbtrun sessions \/\/srv\/cad shows who holds it \[SHARE_FULL\]\n$/,
    )
    const { code } = await nbtrun(lab, ['/bin/true'], { share: '//srv/cad', options: [...NONE, '-E', '9'] })
    assert.equal(code, 9)
    await release()
    await nothingLeft(lab)
  })

  test('patience ends: the last refusal is the one line, and nothing is left', async () => {
    const { release } = await hold()
    const began = performance.now()
    const { code, stderr, receipt } = await nbtrunReceipt(lab, ['/bin/true'], { share: '//srv/cad', options: [...NONE, '--wait', '6s'] })
    assert.ok(performance.now() - began >= 6000)
    assert.equal(code, 75)
    assert.match(stderr, /^nbtrun: [^\n]*full[^\n]*, still after 6 s; nbtrun sessions [^\n]* \[SHARE_FULL\]\n$/)
    assert.ok(receipt.attempts >= 2 && receipt.waitedMs >= 6000, JSON.stringify(receipt))
    await release()
    await nothingLeft(lab)
  })

  test('a place in line is shown on a terminal; Ctrl-C gives it up, with 130, and the next one moves up', { skip: missing('terminal') }, async () => {
    const { release } = await hold()
    const first = wait('first')
    await first.queued()
    const terminal = await lab.terminal('client1', words(lab, ['/bin/true'], { share: '//srv/cad', options: [...NONE, '--wait', '10m'] }))
    await terminal.see('nbtrun: //srv/cad is full; waiting up to 10 min, 2nd in line on this machine\r\n')
    const third = wait('third')
    await third.until(line => line.place === 3)
    terminal.type(KEYS.interrupt)
    assert.equal((await terminal.end()).code, 130)
    await third.until(line => line.place === 2)
    await release()
    assert.deepEqual([(await first.run).exitCode, (await third.run).exitCode], [0, 0])
    await nothingLeft(lab)
  })

  test('a killed one keeps nobody: neither the first in line nor one in the middle', async () => {
    const { release } = await hold()
    const first = wait('kill-1')
    await first.queued()
    const middle = wait('kill-2')
    await middle.until(line => line.place === 2)
    const last = wait('kill-3')
    await last.until(line => line.place === 3)
    process.kill(middle.run.pid!, 'SIGKILL')
    await last.until(line => line.place === 2)
    process.kill(first.run.pid!, 'SIGKILL')
    await last.until(line => line.place === 1)
    await release()
    assert.equal((await last.run).exitCode, 0)
    await Promise.all([first.run, middle.run])
    await lab.run('client1', ['nbtrun', 'reap'])
    await nothingLeft(lab)
  })

  test('the place of a killed one behind whom nobody stands is taken away by reap, and by the start of a run', async () => {
    const { release } = await hold()
    const base = join(lab.host('client1').folder, 'run', 'root', 'nbtrun')
    const lines = (): string[] => (existsSync(base) ? readdirSync(base).filter(name => name.startsWith('seats-')) : [])
    for (const sweep of ['reap', 'run'] as const) {
      const waiter = wait(`alone-${sweep}`)
      await waiter.queued()
      process.kill(waiter.run.pid!, 'SIGKILL')
      await waiter.run
      assert.equal(lines().length, 1)
      if (sweep === 'reap')
        assert.match((await lab.run('client1', ['nbtrun', 'reap'])).stdout, /^1 place in line for a share, left by runs that are dead: taken away$/m)
      else assert.equal((await nbtrun(lab, ['/bin/true'], { options: NONE })).code, 0)
      assert.deepEqual(lines(), [])
    }
    await release()
    await lab.run('client1', ['nbtrun', 'reap'])
    await nothingLeft(lab)
  })

  test('a stopped one keeps nobody for long', { timeout: 280_000 }, async () => {
    const { release } = await hold()
    const first = wait('stop-1')
    await first.queued()
    const second = wait('stop-2')
    await second.until(line => line.place === 2)
    process.kill(first.run.pid!, 'SIGSTOP')
    await release()
    assert.equal((await second.run).exitCode, 0)
    process.kill(first.run.pid!, 'SIGCONT')
    assert.equal((await first.run).exitCode, 0)
    await nothingLeft(lab)
  })

  test('rubbish in the folder, and a listener that never speaks, keep nobody', { timeout: 280_000 }, async () => {
    const { release } = await hold()
    const probe = wait('probe')
    await probe.queued()
    const base = join(lab.host('client1').folder, 'run', 'root', 'nbtrun')
    const [queue = ''] = readdirSync(base).filter(name => name.startsWith('seats-'))
    probe.run.kill('SIGINT')
    await probe.run
    const folder = join(base, queue)
    mkdirSync(join(folder, '1-00000000'), { recursive: true })
    writeFileSync(join(folder, '2-00000000'), 'no socket')
    writeFileSync(join(folder, '999999999999999999-00000000'), '')
    writeFileSync(join(folder, 'x'), '')
    const mute = createServer(socket => socket.on('error', () => {}))
    await new Promise<void>(resolve => mute.listen(join(folder, '3-00000000'), resolve))
    const waiter = wait('rubbish')
    await pause(500)
    await release()
    assert.equal((await waiter.run).exitCode, 0)
    mute.close()
    await lab.run('client1', ['rm', '-r', folder], { user: 'root' })
    await lab.run('client1', ['rmdir', base], { user: 'root' })
    await nothingLeft(lab)
  })

  test('an ordinary user waits in line too, and without a runtime folder among the temporary files', async () => {
    const { release } = await hold()
    const call: Call = { user: 'alice', as: 'alice' }
    const first = wait('alice-1', ['--wait', '60s'], { ...call, env: { XDG_RUNTIME_DIR: '' } })
    await first.queued()
    const second = wait('alice-2', ['--wait', '60s'], { ...call, env: { XDG_RUNTIME_DIR: '' } })
    await second.until(line => line.place === 2)
    await release()
    assert.deepEqual([(await first.run).exitCode, (await second.run).exitCode], [0, 0])
    await nothingLeft(lab)
  })

  test('those of one user stand in one line, with $XDG_RUNTIME_DIR, without it, and with the one that su left of another user', async () => {
    // no /run/user on this machine is touched: a file system of this client's own covers it
    const cover = 'at=/run; [ ! -d /run/user ] || at=/run/user; mount -t tmpfs -o mode=755,size=1m lab $at; mkdir -p /run/user/2001; echo $at'
    const { stdout: covered } = await lab.run('client1', ['sh', '-c', `${cover}; chown 2001:2001 /run/user/2001; chmod 700 /run/user/2001`], { user: 'root' })
    const { release } = await hold()
    const line = [undefined, '/run/user/2001', '', join(lab.host('client1').folder, 'run', 'bob')]
    const runs: Promise<unknown>[] = []
    const order: number[] = []
    for (const [i, XDG_RUNTIME_DIR] of line.entries()) {
      const { run, until } = wait(`mixed-${i}`, ['--wait', '4m'], { user: 'alice', as: 'alice', env: { XDG_RUNTIME_DIR } })
      await until(({ place }) => place === i + 1)
      runs.push(run.then(({ exitCode }) => order.push(exitCode === 0 ? i : -1)))
    }
    await release()
    await Promise.all(runs)
    assert.deepEqual(order, [0, 1, 2, 3])
    assert.deepEqual((await lab.run('client1', ['ls', '-A', '/run/user/2001'], { user: 'root' })).stdout, '')
    await lab.run('client1', ['umount', covered.trim()], { user: 'root' })
    await nothingLeft(lab)
  })

  test('runs that want two shares, named in either order, do not wait for each other without end', { timeout: 280_000 }, async () => {
    const { release } = await hold()
    const shares = ['//srv/cad', '//srv/seats', '//srv/cad', '//srv/seats']
    const runs = shares.map(async (share, i) => {
      const other = i % 2 === 0 ? '//srv/seats' : '//srv/cad'
      return nbtrun(lab, ['/bin/sh', '-c', 'sleep 0.1'], { share, options: ['--share', other, ...NONE, '--wait', '4m'], timeout: 270_000 })
    })
    await pause(2000)
    await release()
    assert.deepEqual(
      (await Promise.all(runs)).map(({ code, stderr }) => `${code}${stderr}`),
      ['0', '0', '0', '0'],
    )
    await nothingLeft(lab)
  })

  test('30 runs on one machine share 3 seats: in order, never more than 3 connections and 4 sessions', {
    timeout: 280_000,
    skip: missing('capture'),
  }, async () => {
    const go = here(lab, 'go')
    const runs: Promise<{ code: number | undefined; receipt: Receipt }>[] = []
    const most = { trees: 0, sessions: 0 }
    const capture = await lab.capture('client1')
    let over = false
    // a look takes its time, and may find one that has gone and one that came for it: those in two looks were there at once, in between
    const watch = (async () => {
      let [trees, sessions] = [new Set<string>(), new Set<string>()]
      while (!over) {
        const look = {
          trees: new Set((await lab.server().treeConnects()).flatMap(({ share, session, id }) => (share === 'seats' ? `${session} ${id}` : []))),
          sessions: new Set((await lab.server().sessions()).map(({ id }) => id)),
        }
        most.trees = Math.max(most.trees, [...look.trees].filter(id => trees.has(id)).length)
        most.sessions = Math.max(most.sessions, [...look.sessions].filter(id => sessions.has(id)).length)
        ;[trees, sessions] = [look.trees, look.sessions]
      }
    })()
    const events = (i: number): string => here(lab, `seats-${i}.events`)
    for (let i = 0; i < 30; i++) {
      const program = ['/bin/sh', '-c', 'while [ ! -e "$1" ]; do sleep 0.05; done; sleep 0.4', 'sh', go]
      const options = [...NONE, '--wait', '4m', '--events', events(i)]
      runs.push(nbtrunReceipt(lab, program, { share: '//srv/seats', options, timeout: 270_000 }))
      // the next one comes when this one has its seat, or its place in the line
      while (!/"(launched|queued)"/.test(readFileSync(events(i), { encoding: 'utf8', flag: 'a+' }))) await pause(20)
    }
    writeFileSync(go, '')
    const ended = await Promise.all(runs)
    over = true
    await watch
    assert.deepEqual(
      ended.map(({ code }) => code),
      Array<number>(30).fill(0),
    )
    assert.ok(most.trees <= 3 && most.sessions <= 4, JSON.stringify(most))
    const { streams } = await judge(await capture.stop())
    assert.deepEqual(mostOnTheWire(streams, 'seats'), { seats: 3, sessions: 4 })
    assert.equal(most.trees, 3, 'the seats were all used')
    const obtained = (i: number): string => /^.*"obtained".*$/m.exec(readFileSync(events(i), 'utf8'))?.[0] ?? ''
    const came = runs
      .map((_, i) => [(JSON.parse(obtained(i)) as Line).at, i] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, i]) => i)
    for (const [place, i] of came.entries()) assert.ok(Math.abs(place - i) <= 2, came.join(' '))
    await nothingLeft(lab)
  })
})

/**
 * How many connections to a share there were at once, and how many sessions that held one or tried for one. Each is counted from the answer that grants it to the
 * request that ends it, so that none is missed that lasts for less than a look.
 */
function mostOnTheWire(streams: readonly Stream[], share: string): { readonly seats: number; readonly sessions: number } {
  const spans = streams.flatMap(({ commands, last }) => {
    const granted = (command: string, from = 0): number | undefined =>
      commands.find(c => c.command === command && c.response && c.status === 0 && c.at >= from)?.at
    const asked = (command: string, on = ''): number | undefined => commands.find(c => c.command === command && !c.response && (c.path ?? '').endsWith(on))?.at
    const session = granted('SESSION_SETUP')
    if (session === undefined) return []
    const connect = asked('TREE_CONNECT', share)
    const seat = connect === undefined ? undefined : granted('TREE_CONNECT', connect)
    return [{ session, seat, end: asked('TREE_DISCONNECT', share) ?? asked('LOGOFF') ?? last }]
  })
  return {
    seats: most(spans.flatMap(({ seat, end }) => (seat === undefined ? [] : [[seat, end] as const]))),
    sessions: most(spans.map(({ session, end }) => [session, end] as const)),
  }
}

/** The greatest number of spans of time that have a moment in common. */
function most(spans: readonly (readonly [number, number])[]): number {
  return Math.max(0, ...spans.map(([at]) => spans.filter(([from, to]) => from <= at && at < to).length))
}

describe('a login that is refused while waiting', { skip: missing('lab', 'capture'), timeout: 800_000 }, () => {
  test('ends the run at once: it is the only failed one', async () => {
    await using lab = await startLab()
    const events = here(lab, 'refused.events')
    const holder = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { as: 'bob', share: '//srv/cad', options: NONE }))
    for await (const chunk of holder.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    const capture = await lab.capture('client1')
    const run = lab.spawn('client1', words(lab, ['/bin/true'], { share: '//srv/cad', options: [...NONE, '--wait', '10m', '--events', events] }))
    while (!readFileSync(events, { encoding: 'utf8', flag: 'a+' }).includes('"queued"')) await pause(20)
    await lab.server().tool('pdbedit', '-r', '-u', 'alice', '--set-nt-hash', '0123456789ABCDEF0123456789ABCDEF')
    const { exitCode, stderr } = await run
    assert.equal(exitCode, 125)
    assert.match(String(stderr), /^nbtrun: [^\n]* \[LOGON_FAILED\]\n$/)
    holder.stdin?.end('\n')
    await holder
    const { streams } = await judge(await capture.stop())
    const refused = streams.flatMap(s => s.commands.filter(c => c.command === 'SESSION_SETUP' && c.response && c.status === STATUS.LOGON_FAILURE))
    assert.equal(refused.length, 1)
    await nothingLeft(lab)
  })

  test('a wrong password is refused once, whatever --wait says', async () => {
    await using lab = await startLab()
    const capture = await lab.capture('client1')
    const options = ['--share', '//srv/cad', '--user', 'alice', '--password-fd', '0', '--wait', '10m']
    const { code, stderr } = await lab.run('client1', ['nbtrun', ...options, '--', 'true'], { input: 'wrong\n' })
    assert.equal(code, 125)
    assert.match(stderr, /^nbtrun: [^\n]* \[LOGON_FAILED\]\n$/)
    const { streams } = await judge(await capture.stop())
    assert.equal(streams.flatMap(s => s.commands.filter(c => c.command === 'SESSION_SETUP' && !c.response)).length, 2, 'the two rounds of one login')
    await nothingLeft(lab)
  })
})

describe('a network that is not there yet', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab()
  })
  after(() => lab?.dispose())

  test('is waited for: no link, then no server, then both', async () => {
    lab.link('client1', 'down')
    await lab.stopSmbd()
    const run = nbtrunReceipt(lab, ['/bin/true'], { options: [...NONE, '--wait', '60s', '--connect-timeout', '1s'] })
    await pause(1500)
    lab.link('client1', 'up')
    await pause(1500)
    await lab.startSmbd()
    const { code, stderr, receipt } = await run
    assert.deepEqual([code, stderr], [0, ''])
    assert.ok(receipt.attempts > 1)
    await nothingLeft(lab)
  })

  test('and so is a name that nobody knows yet; 75 when patience is at an end, 125 without any', async () => {
    const waited = await nbtrun(lab, ['/bin/true'], { share: '//nowhere/app', options: [...NONE, '--wait', '1s'] })
    assert.equal(waited.code, 75)
    assert.match(waited.stderr, /^nbtrun: server nowhere not found: [^\n]*, still after 1 s; [^\n]* \[HOST_NOT_FOUND\]\n$/)
    assert.equal((await nbtrun(lab, ['/bin/true'], { share: '//nowhere/app', options: NONE })).code, 125)
    await nothingLeft(lab)
  })
})
