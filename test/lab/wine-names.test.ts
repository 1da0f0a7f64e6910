import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { compileExe, judge, type Lab, missing, setUpWine, startLab, useLab } from './index.ts'
import { type Call, here, nbtrun, nothingLeft } from './nbtrun.ts'
import { untilGone } from './watch.ts'
import { linesOf, noWine } from './wine.ts'

const P = '//srv/app=P:'
const FILES = 2000
const TIMES = 20
/** Of the run itself: Wine looks for short names when it starts. */
const A_FEW = 10
const TIMEOUT_MS = 240_000

describe('Wine leaves it to the server to compare names without case', { skip: noWine || missing('capture'), timeout: 580_000 }, () => {
  let lab: Lab
  let env: Record<string, string>
  const disk = (name: string): string => join(lab.server().diskPath('app'), name)
  before(async () => {
    lab = await useLab()
    env = await setUpWine(here(lab, 'prefix'))
    await compileExe('names.c', disk('names.exe'))
    copyFileSync(disk('names.exe'), disk('names'))
    mkdirSync(disk('big'))
    for (let i = 0; i < FILES; i++) writeFileSync(disk(`big/A record of the Year ${i}.data`), '')
    writeFileSync(disk('big/The Annual Report.text'), '12345')
    writeFileSync(disk('big/Übersicht für März.text'), '123456')
    writeFileSync(disk('big/Report01.Txt'), '1234567')
  })
  /** A program that looks for the entry in the share's top folder and in another one, and lists both. */
  const LOOK = ['/bin/sh', '-c', 'cd "$NBTRUN_MOUNT" && stat -c "%s %F" .ciopfs big/.ciopfs; ls -a; ls -a big | grep -c ciopfs; :']

  after(async () => {
    await untilGone(lab)
    await nothingLeft(lab)
  })

  const run = (program: readonly string[], call: Call = {}): ReturnType<typeof nbtrun> => nbtrun(lab, program, { env, share: P, timeout: TIMEOUT_MS, ...call })

  /** How many requests of each command a run sends. */
  async function requests(program: readonly string[], call: Call = {}): Promise<ReadonlyMap<string, number>> {
    const capture = await lab.capture('client1')
    const { code, stdout, stderr } = await run(program, call)
    const { streams } = await judge(await capture.stop())
    assert.equal(code, 42, `${stdout}${stderr}`)
    const commands = streams.flatMap(stream => stream.commands.filter(({ response }) => !response).map(({ command }) => command))
    const counted = new Map<string, number>()
    for (const command of commands) counted.set(command, (counted.get(command) ?? 0) + 1)
    return counted
  }

  for (const [how, program, options] of [
    ['a program', 'names.exe', []],
    ['a program without its ending', 'names', []],
    ['a shared mapping', 'names.exe', ['--mapping', 'shared']],
  ] as const)
    test(`a long name that is not there costs no listing of its folder: ${how}`, async t => {
      const counted = await requests([program, 'missing', 'P:\\big\\No such Record #.data', String(TIMES)], { options })
      t.diagnostic(`${TIMES} names in a folder of ${FILES}: ${JSON.stringify([...counted])}`)
      const listings = counted.get('QUERY_DIRECTORY') ?? 0
      assert.ok(listings <= A_FEW, `${listings} listings`)
    })

  test('a short name that is not there does cost one, for it might be another name of a long one', async t => {
    const counted = await requests(['names.exe', 'missing', 'P:\\big\\NONE#.TXT', String(TIMES)])
    t.diagnostic(`${TIMES} names in a folder of ${FILES}: ${JSON.stringify([...counted])}`)
    assert.ok((counted.get('QUERY_DIRECTORY') ?? 0) > TIMES)
  })

  test('a file is found by its long and by its short names, in any case', async () => {
    const { stdout: told } = await lab.run('client1', ['smbclient', '-A', lab.authFile(), '//srv/app', '-c', 'altname "big/The Annual Report.text"'])
    const servers = told.trim()
    const [shortened = ''] = linesOf((await run(['names.exe', 'short', 'P:\\big\\The Annual Report.text'])).stdout)
    const wines = shortened.slice('P:\\big\\'.length)
    for (const name of [servers, wines]) assert.match(name, /^[^ ]{1,8}(\.[^ ]{1,3})?$/)
    const others = [servers, wines].flatMap(name => [name.toUpperCase(), name.toLowerCase()])
    const named: readonly (readonly [length: string, names: readonly string[]])[] = [
      ['5', ['The Annual Report.text', 'THE ANNUAL REPORT.TEXT', 'the annual report.text', 'tHE aNNUAL rEPORT.tEXT', ...others]],
      ['6', ['Übersicht für März.text', 'ÜBERSICHT FÜR MÄRZ.TEXT', 'übersicht für märz.text']],
      ['7', ['Report01.Txt', 'REPORT01.TXT', 'report01.txt', 'rEPORT01.tXT']],
    ]
    const paths = named.flatMap(([, names]) => names.flatMap(name => [`P:\\big\\${name}`, `\\\\SRV\\App\\BIG\\${name}`]))
    const expected = named.flatMap(([length, names]) => names.flatMap(() => [length, length]))
    const { code, stdout } = await run(['names.exe', 'there', ...paths])
    assert.equal(code, 42)
    assert.deepEqual(linesOf(stdout), expected, paths.join('\n'))
    assert.deepEqual(linesOf((await run(['names.exe', 'list', 'P:\\BIG\\rEPORT*.tXT'])).stdout), ['Report01.Txt'])
  })

  test('by an entry that no listing shows, and that is not there where Wine has no part in a run', async () => {
    const serving = await run(LOOK)
    assert.deepEqual(linesOf(serving.stdout), ['0 regular empty file', '0 regular empty file', '.', '..', 'big', 'names', 'names.exe', '0'], serving.stderr)
    const alone = await run(LOOK, { share: '//srv/app' })
    assert.deepEqual(linesOf(alone.stdout), ['.', '..', 'big', 'names', 'names.exe', '0'])
    assert.equal(alone.stderr.match(/No such file or directory/g)?.length, 2, alone.stderr)
  })

  test('but not to one that tells case apart: there Wine still looks itself', async () => {
    const other = await startLab({ servers: { srv: { shares: { exact: ['read only = no', 'case sensitive = yes'] } } }, clients: ['client1'] })
    try {
      const call = { env: await setUpWine(here(other, 'prefix')), share: '//srv/exact=P:', timeout: TIMEOUT_MS }
      const folder = other.server().diskPath('exact')
      mkdirSync(join(folder, 'big'))
      copyFileSync(disk('names.exe'), join(folder, 'names.exe'))
      writeFileSync(join(folder, 'big/The Annual Report.text'), '12345')
      const { stdout } = await nbtrun(other, ['names.exe', 'there', 'P:\\big\\THE ANNUAL REPORT.TEXT'], call)
      assert.deepEqual(linesOf(stdout), ['5'])
      const look = await nbtrun(other, LOOK, call)
      assert.equal(look.stderr.match(/No such file or directory/g)?.length, 2, look.stderr)
      await untilGone(other)
      await nothingLeft(other)
    } finally {
      other.dispose()
    }
  })
})
