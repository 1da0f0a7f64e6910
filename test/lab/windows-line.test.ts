import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { missing } from './missing.ts'
import { faultsOfEvent } from './schemas.ts'
import { offline, until, WindowsNode, windowsPath } from './windows-node.ts'

interface Line {
  readonly type: string
  readonly at: string
  readonly place?: number
  readonly lack?: string
}

describe("waiting in line on Windows' Node under Wine, by named pipes", { skip: missing('wine', 'mingw') || offline(), timeout: 900_000 }, () => {
  const windows = new WindowsNode()
  const lines = (): string => join(windows.local, 'nbtrun', 'lines')

  before(async () => {
    await windows.set()
    mkdirSync(windows.path('line-71/app'), { recursive: true })
    mkdirSync(windows.path('line-1395/app'), { recursive: true })
  })
  after(() => windows.dispose())

  /** A run that waits for a seat. */
  function wait(server: string, name: string) {
    const events = windows.path(`${name}.events`)
    const words = ['--share', `//${server}/app`, '--mapping', 'unc', '--grace', '0', '--wait', '10m', '--events', windowsPath(events)]
    const { child, ran } = windows.start([...words, '--', windowsPath(windows.path('srv/app/launcher.exe'))])
    const told = (): Line[] =>
      (existsSync(events) ? readFileSync(events, 'utf8').split('\n').slice(0, -1) : []).map(line => {
        const event = JSON.parse(line) as Line
        assert.deepEqual(faultsOfEvent(event), [], line)
        return event
      })
    const obtained = (): number => Date.parse(told().find(({ type }) => type === 'obtained')?.at ?? '')
    return { child, ran, told, obtained, at: (place: number) => until(`${name} at ${place}`, () => told().findLast(line => 'place' in line)?.place === place) }
  }

  type Waiting = ReturnType<typeof wait>

  for (const server of ['line-71', 'line-1395']) {
    test(`${server}: runs take their seats in order of arrival, one asks at a time, and who is killed in line keeps nobody`, async () => {
      writeFileSync(windows.path('full'), '')
      const runs: Waiting[] = []
      for (let i = 1; i <= 4; i++) {
        const run = wait(server, `${server}-${i}`)
        runs.push(run)
        await run.at(i)
      }
      await until('what the line waits for', () => runs.every(({ told }) => told().some(({ lack }) => lack === 'seat')))
      const [first, second, third, fourth] = runs as [Waiting, Waiting, Waiting, Waiting]
      second.child.kill('SIGKILL')
      await second.ran
      await Promise.all([third.at(2), fourth.at(3)])

      rmSync(windows.path('full'))
      const codes = (await Promise.all([first.ran, third.ran, fourth.ran])).map(({ code, stderr }) => [code, stderr])
      assert.deepEqual(codes, Array(3).fill([0, '']))
      const order = [first, third, fourth].map(({ obtained }) => obtained())
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      )

      const asked = readFileSync(windows.path('asked'), 'latin1').trim().split('\n')
      assert.ok(asked.length > 8, asked.join(', '))
      for (let i = 0; i < asked.length; i += 2) assert.deepEqual(asked[i + 1], asked[i]?.replace('in', 'out'), 'two asked at once')
      rmSync(windows.path('asked'))
      assert.equal(existsSync(lines()), false, `left: ${existsSync(lines()) ? readdirSync(lines(), { recursive: true }).join(', ') : ''}`)
    })
  }
})
