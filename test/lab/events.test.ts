import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { pause } from '../../src/base/time.ts'
import type { Published } from '../../src/run/published.ts'
import { type Lab, startLab } from './index.ts'
import { type Call, here, nbtrunReceipt, noMapping, nothingLeft, script, words, type WithReceipt } from './nbtrun.ts'
import { killAll, untilGone } from './watch.ts'
import { faultsOfEvent, faultsOfReceipt, typesOf } from './schemas.ts'

describe('events and receipt', { skip: noMapping, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab()
  })
  after(async () => {
    await nothingLeft(lab)
    lab.dispose()
  })

  /** A run; its receipt and its events are as the schemas say. */
  async function run(name: string, program: readonly string[], call: Call = {}): Promise<WithReceipt & { types: string[]; events: Published[] }> {
    const file = here(lab, `${name}.events`)
    const outcome = await nbtrunReceipt(lab, program, { ...call, options: [...(call.options ?? []), '--events', file] })
    assert.deepEqual(faultsOfReceipt(outcome.receipt), [])
    return { ...outcome, ...read(file) }
  }
  function read(file: string): { types: string[]; events: Published[] } {
    const text = readFileSync(file, 'utf8')
    const events = text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Published)
    assert.equal(new Set(events.map(event => event.run)).size, 1)
    return { types: typesOf(text), events }
  }

  test('a run that goes well, in every word of its life', async () => {
    const { types, events, receipt } = await run('well', ['/bin/sh', '-c', 'exit 3'])
    assert.deepEqual(types, ['requested', 'obtained', 'mapped', 'launched', 'quit', 'returned'])
    assert.equal(events[0]?.run, receipt.run)
    const quit = events.find(event => event.type === 'quit')
    assert.ok(quit?.type === 'quit')
    assert.deepEqual([quit.exit, quit.signal, quit.timedOut], [3, null, false])
  })

  test('a run by NetBIOS that holds a name', async () => {
    const options = ['--transport', 'nbt', '--hold-name', 'PAYROLL', '--wins', lab.server().address]
    const { code, types, receipt } = await run('netbios', ['/bin/true'], { options })
    assert.deepEqual([code, types, receipt.names.length], [0, ['requested', 'obtained', 'mapped', 'launched', 'quit', 'returned'], 1])
  })

  test('a program that leaves others behind lingers, and so does a grace', async () => {
    const { types } = await run('users', ['/bin/sh', '-c', 'sleep 3 & exit 0'], { options: ['--grace', '100ms'] })
    assert.deepEqual(types, ['requested', 'obtained', 'mapped', 'launched', 'quit', 'lingering', 'lingering', 'returned'])
  })

  for (const map of ['private', 'shared'])
    test(`what the survivors of --wait-for app have open is named, with a ${map} mapping`, async () => {
      script(
        lab,
        'survives',
        `setsid sh -c 'exec 3>"$NBTRUN_MOUNT/held"; : >"$NBTRUN_MOUNT/up"; exec sleep 100' >/dev/null 2>&1 &\nwhile [ ! -e "$NBTRUN_MOUNT/up" ]; do sleep 0.02; done; rm "$NBTRUN_MOUNT/up"`,
      )
      const { events, stderr, receipt } = await run(`taken-${map}`, ['{mount}/survives'], { options: ['--wait-for', 'app', '--grace', '0', '--mapping', map] })
      assert.match(stderr, /^nbtrun: survives is gone; the share is taken from [^\n]*\b(sh|sleep) \(\d+\) with held open/)
      assert.ok(
        receipt.survivors.some(({ files }) => files.includes('held')),
        JSON.stringify(receipt.survivors),
      )
      const taken = events.find(event => event.type === 'lingering' && event.cause === 'taken')
      assert.ok(taken?.type === 'lingering' && taken.users.some(({ files }) => files.includes('held')))
      assert.deepEqual(
        receipt.steps.filter(({ ok }) => !ok),
        [],
        JSON.stringify(receipt.steps),
      )
      killAll(lab)
      await untilGone(lab)
      await nothingLeft(lab)
    })

  test('what a killed run left is reaped by the next one', async () => {
    const killed = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { options: ['--kill-after', '0.2'] }))
    for await (const chunk of killed.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    process.kill(killed.pid!, 'SIGKILL')
    await killed
    await untilGone(lab)
    const { types, events } = await run('reaps', ['/bin/true'])
    assert.deepEqual(types, ['requested', 'reaped', 'obtained', 'mapped', 'launched', 'quit', 'returned'])
    const reaped = events.find(event => event.type === 'reaped')
    assert.ok(reaped?.type === 'reaped' && reaped.gone.some(what => what.endsWith(`/nbtrun/${reaped.dead}`)), JSON.stringify(reaped))
    assert.deepEqual(reaped.left, [])
    for (const what of ['dead', 'gone', 'left']) assert.notDeepEqual(faultsOfEvent({ ...reaped, [what]: undefined }), [], what)
  })

  test('a login that is refused, and a wait in vain', async () => {
    const refused = await run('refused', ['/bin/true'], { share: '//srv/none' })
    assert.deepEqual(refused.types, ['requested', 'denied', 'returned'], JSON.stringify(refused.events))
    const nowhere = await run('nowhere', ['/bin/true'], { share: '//nowhere/app', options: ['--wait', '1s'] })
    assert.deepEqual([...new Set(nowhere.types)], ['requested', 'queued', 'dequeued', 'denied', 'returned'])
  })

  test('a wait for a seat that comes', async () => {
    const holder = lab.spawn('client1', words(lab, ['/bin/sh', '-c', 'echo ready; read -r line'], { share: '//srv/cad' }))
    for await (const chunk of holder.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
    const waits = run('waits', ['/bin/true'], { share: '//srv/cad', options: ['--wait', '60s'] })
    while (!readFileSync(here(lab, 'waits.events'), { encoding: 'utf8', flag: 'a+' }).includes('"queued"')) await pause(20)
    holder.stdin?.end('\n')
    await holder
    const { code, types } = await waits
    assert.equal(code, 0)
    assert.deepEqual([...new Set(types)], ['requested', 'queued', 'dequeued', 'obtained', 'mapped', 'launched', 'quit', 'returned'])
  })

  test('a connection that is lost, for good and for a moment', async () => {
    const program = ['/bin/sh', '-c', 'echo ready; read -r line; ls "$NBTRUN_MOUNT" >/dev/null 2>&1; exit 0']
    for (const [name, options, expected] of [
      ['for-good', ['--no-reconnect'], ['lost']],
      ['for-a-moment', [], ['obtained']],
    ] as const) {
      const file = here(lab, `${name}.events`)
      const call = lab.spawn('client1', words(lab, program, { options: [...options, '--events', file] }))
      for await (const chunk of call.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
      while (!readFileSync(file, 'utf8').includes('"launched"')) await pause(20) // the program may be quicker than what is told of it
      await lab.stopSmbd('srv', 'SIGKILL')
      await lab.startSmbd('srv')
      call.stdin?.end('\n')
      await call
      const { types } = read(file)
      assert.deepEqual(types, ['requested', 'obtained', 'mapped', 'launched', ...expected, 'quit', 'returned'], name)
    }
  })

  test('the schemas are not satisfied by everything, and let pass what is new', () => {
    const head = { event: 1, run: '7f3a', at: '2026-01-01T00:00:00.000Z' }
    assert.deepEqual(faultsOfEvent({ ...head, type: 'launched', program: 'app', pid: 1, more: true }), [])
    assert.deepEqual(faultsOfEvent({ ...head, type: 'promoted', to: 'general' }), [])
    assert.notDeepEqual(faultsOfEvent({ ...head, type: 'launched', program: 'app' }), [])
    assert.notDeepEqual(faultsOfEvent({ ...head, event: 2, type: 'promoted' }), [])
    assert.notDeepEqual(faultsOfEvent({ ...head, type: 'lost', file: 'x' }), [])
    assert.notDeepEqual(faultsOfReceipt({ receipt: 1, run: '7f3a' }), [])
  })
})
