import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain, explainOn, isInUse, isLetterTaken, NUMBERS } from '../../../../src/mapping/windows/errors.ts'
import { WindowsError } from '../../../../src/mapping/windows/network.ts'
import { lackOf } from '../../../../src/seat/lack.ts'
import { Workstation } from './workstation.ts'

const failure = (number: number): WindowsError => new WindowsError(number, 'WNetAddConnection2')
const connection = { device: 'P:', remote: '\\\\srv\\app' }

test('what time may mend is waited for, and nothing else', () => {
  const lacking = (lack: string | undefined): number[] => NUMBERS.filter(number => lackOf(explain(failure(number), connection)) === lack).sort((a, b) => a - b)
  assert.deepEqual(lacking('seat'), [69, 71, 1238, 1395])
  assert.deepEqual(lacking('network'), [51, 53, 59, 64, 67, 121, 1203, 1222, 1231, 1232, 1233, 1234])
  assert.deepEqual(lacking('name'), [])
})

test('every number is said, with its share', () => {
  for (const number of [...NUMBERS, 4711]) {
    const error = explain(failure(number), connection)
    assert.match(error.message, new RegExp(`\\(${number}\\)$`))
    assert.equal(error.facts['windows'], number)
  }
  assert.equal(explain(failure(4711), connection).code, 'MAPPING_FAILED')
})

test('another login names who has the server, by any case, and a way round that ends nothing of others', () => {
  const others = [
    { device: 'Q:', remote: '\\\\SRV\\data' },
    { device: '', remote: '\\\\srv\\IPC$' },
    { device: 'R:', remote: '\\\\other\\x' },
  ]
  const { code, message, hint } = explain(failure(1219), connection, others)
  assert.equal(code, 'OTHER_LOGIN')
  assert.equal(message, 'srv is connected as another user already, by Q: \\\\SRV\\data, \\\\srv\\IPC$ (1219)')
  assert.match(hint ?? '', /full name \(server\.domain\) or its address/)
  const [first] = others
  assert.match(explain(failure(1219), connection, [{ ...first!, user: 'LAB\\bob' }]).message, /^srv is connected as LAB\\bob already, by Q: /)
  assert.match(explain(failure(1219), { device: '', remote: '\\\\10.0.0.5\\app' }).hint ?? '', /^name the server by its name: /)
})

test('Windows is asked in whose name the connections of that server were made, and of no other', async () => {
  const windows = new Workstation()
  const asked: string[] = []
  for (const remote of ['\\\\srv\\data', '\\\\other\\x']) await windows.connect({ device: '', remote })
  windows.userOf = async ({ remote }) => {
    asked.push(remote)
    return 'LAB\\bob'
  }
  const { message } = await explainOn(windows, failure(1219), connection)
  assert.deepEqual([message, asked], ['srv is connected as LAB\\bob already, by \\\\srv\\data (1219)', ['\\\\srv\\data']])
  assert.match((await explainOn(windows, failure(53), connection)).message, /\(53\)$/)
  assert.equal(asked.length, 1)
})

test('a letter that is taken says by what', () => {
  const error = explain(failure(85), connection, [{ device: 'P:', remote: '\\\\other\\x' }])
  assert.equal(error.code, 'POINT_UNUSABLE')
  assert.equal(error.message, 'P: is in use for \\\\other\\x (85)')
  assert.deepEqual(
    [85, 1202, 53].map(number => isLetterTaken(failure(number))),
    [true, true, false],
  )
  assert.deepEqual(
    [2401, 2402, 2404, 2250].map(number => isInUse(failure(number))),
    [true, true, true, false],
  )
})
