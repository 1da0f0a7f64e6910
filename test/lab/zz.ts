import { startLab } from './index.ts'
const lab = await startLab({ servers: { srv: {} }, clients: ['client1'] })
try {
  const t = await lab.terminal('client1', ['nbtrun', 'doctor', '//srv/app', '--user', 'LAB/alice'], { user: 'alice' } as never)
  const tt = t as any
  for (const k of Object.getOwnPropertyNames(Object.getPrototypeOf(tt))) console.log(k)
  await tt.until(/Password for/)
  tt.type ? tt.type(lab.password() + '\n') : tt.write(lab.password() + '\r')
  const end = await tt.end
  console.log(end, tt.text ?? tt.output)
} finally { lab.dispose() }
