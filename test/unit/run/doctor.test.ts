import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { CODES, NbtrunError } from '../../../src/base/errors.ts'
import { NAME_SOURCES, type NameSource } from '../../../src/nbt/name-order.ts'
import type { Settings } from '../../../src/profile/settings.ts'
import { FINDINGS, GROUPS } from '../../../src/run/doctor/check.ts'
import { HOST, judgeNode, judgeUtilLinux } from '../../../src/run/doctor/host.ts'
import { NAMES, type Said, verdict } from '../../../src/run/doctor/names.ts'
import type { Patient } from '../../../src/run/doctor/patient.ts'
import { PORTS } from '../../../src/run/doctor/ports.ts'
import { judgeClock, judgeDialects, SERVER } from '../../../src/run/doctor/server.ts'
import { SHARE } from '../../../src/run/doctor/share.ts'
import { size } from '../../../src/run/doctor/speed.ts'
import { type Dialect, dialectsBetween } from '../../../src/smb/dialect.ts'

const page = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')

describe('the doctor', () => {
  test('asks each thing once, group by group, and bounds what it asks', () => {
    const all = [...HOST, ...NAMES, ...PORTS, ...SERVER, ...SHARE]
    const names = all.map(({ group, check }) => `${group}.${check}`)
    assert.equal(new Set(names).size, names.length)
    const order = all.map(({ group }) => GROUPS.indexOf(group))
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    )
    assert.deepEqual(
      all.filter(({ limitMs }) => limitMs === undefined).map(({ check }) => check),
      ['credentials'],
    )
  })

  test('has no code for two things, and docs/doctor.md has each of them', () => {
    for (const [code, cure] of Object.entries(FINDINGS)) {
      assert.ok(!(code in CODES), code)
      assert.ok(page.includes(`| \`${code}\` |`), code)
      assert.ok(cure.length > 0, code)
    }
  })

  test('judges versions by number', () => {
    const judged = [
      judgeNode('20.19.0').state,
      judgeNode('20.9.9').code,
      judgeNode('22.0.0').state,
      judgeUtilLinux('unshare from util-linux 2.36').state,
      judgeUtilLinux('unshare from util-linux 2.4.1').code,
      judgeUtilLinux('BusyBox v1.36').code,
      judgeUtilLinux('').code,
    ]
    assert.deepEqual(judged, ['ok', 'NODE_TOO_OLD', 'ok', 'ok', 'TOOLS_MISSING', 'TOOLS_MISSING', 'TOOLS_MISSING'])
    assert.match(judgeUtilLinux('unshare from util-linux 2.34').cure ?? '', /2\.36/)
  })

  test('finds clocks that differ by more than five minutes, either way', () => {
    assert.deepEqual(
      [0, 299_000, -299_000, 301_000, -301_000].map(ms => judgeClock(ms).code),
      [undefined, undefined, undefined, 'CLOCK_SKEW', 'CLOCK_SKEW'],
    )
    assert.match(judgeClock(-7_200_000).text, /^120 min behind$/)
  })

  test('says where a name is, who says otherwise, and who would know it', () => {
    const said = (answers: Partial<Record<NameSource, string>>): ReadonlyMap<NameSource, Said> =>
      new Map(
        NAME_SOURCES.flatMap(source => (answers[source] === undefined ? [] : [[source, { outcome: 'found', ms: 1, addresses: answers[source].split(' ') }]])),
      )
    const dns = { addresses: ['10.0.0.5', '10.0.1.5'], by: 'dns' } as const
    assert.equal(verdict(dns, undefined, said({ dns: '10.0.0.5 10.0.1.5', wins: '10.0.1.5' })).state, 'ok')
    const other = verdict(dns, undefined, said({ dns: '10.0.0.5 10.0.1.5', wins: '10.0.0.9' }))
    assert.deepEqual([other.state, other.code, other.text], ['note', 'NAMES_DISAGREE', 'dns says 10.0.0.5, 10.0.1.5, but wins says 10.0.0.9'])
    const nowhere = new NbtrunError('HOST_NOT_FOUND', 'not found', { hint: 'check the spelling' })
    assert.deepEqual(verdict(undefined, nowhere, said({})).cure, 'check the spelling')
    assert.deepEqual(verdict(undefined, nowhere, said({ lmhosts: '10.0.0.9' })).cure, 'lmhosts knows 10.0.0.9: --name-order lmhosts')
  })

  test('says which dialects a server offers, and what of them may be used', () => {
    const judge = (offered: readonly Dialect[], min: Dialect = '2.0.2', max: Dialect = '3.1.1', silence?: NbtrunError): string => {
      const heard = offered.findLast(dialect => dialectsBetween(min, max).includes(dialect))
      const settings = { 'min-dialect': min, 'max-dialect': max } as Settings
      const target = { host: 'srv', share: undefined, label: '//srv' }
      const patient = { settings, target, ...(heard === undefined ? {} : { heard: { dialect: heard } }) } as Patient
      const { state, code, text } = judgeDialects(patient, offered, silence, [])
      return `${state} ${code ?? ''} ${text}`
    }
    assert.deepEqual(
      [
        judge(['NT1', '2.1']),
        judge(['NT1']),
        judge(['NT1'], 'NT1'),
        judge(['2.0.2', '2.1'], '3.0'),
        judge(['3.1.1'], 'NT1', 'NT1'),
        judge([]),
        judge([], undefined, undefined, new NbtrunError('TIMED_OUT', 'too long')),
      ],
      [
        'ok  NT1, 2.1',
        'finding SMB1_ONLY srv speaks SMB1 only',
        'ok  NT1',
        'finding DIALECT_REFUSED srv offers 2.0.2, 2.1; asked for is 3.0 to 3.1.1',
        'finding DIALECT_REFUSED srv offers 3.1.1; asked for is NT1',
        'finding DIALECT_REFUSED srv speaks no SMB that nbtrun knows',
        'finding TIMED_OUT too long',
      ],
    )
  })

  test('tells sizes in powers of ten', () => {
    assert.deepEqual([0, 999, 1000, 1_234_567, 33_554_432, 271e9, 5e18].map(size), ['0 bytes', '999 bytes', '1 kB', '1.2 MB', '33.6 MB', '271 GB', '5000 PB'])
  })
})
