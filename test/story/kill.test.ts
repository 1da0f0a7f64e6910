// kill -9 of a program on a share, while its server does whatever servers do.
import { test } from 'node:test'
import { startLab } from '../lab/index.ts'
import { noMapping } from '../lab/nbtrun.ts'
import { killAtAnyMoment } from './meddling.ts'

test('kill -9 of the program works at every moment, whatever the server does', { skip: noMapping, timeout: 280_000 }, async () => {
  await using lab = await startLab({ servers: { srv: {}, srv2: {} } })
  for (let i = 0; i < 6; i++) await killAtAnyMoment(lab, i)
  await lab.server().untilSessions(0)
})
