// NetBIOS names: node nbt.js 10.0.0.2 PAYROLL, where 10.0.0.2 is a name server (WINS)
import { hold, nodeStatus, query, spellName } from 'nbtrun/nbt'

const [server = '', name = ''] = process.argv.slice(2)
const signal = AbortSignal.timeout(60_000)

const { names } = await nodeStatus(server, { signal })
for (const entry of names) console.log(spellName(entry.name), entry.group ? 'group' : 'unique')

const held = await hold(`${name}#20`, { wins: [server], signal })
try {
  const { owners } = await query(`${name}#20`, { wins: [server], signal })
  console.log(spellName(held.name.name), 'is at', owners.map(({ address }) => address).join(', '), held.warning ?? '')
} finally {
  await held.close() // the name server has it no longer
}
