// Files on a share, without a mapping: PASSWORD=... node smb.js srv app alice
import { connect } from 'nbtrun/smb'

const [host = '', share = '', user = ''] = process.argv.slice(2)

const client = await connect(host, { user, password: process.env['PASSWORD'] ?? '', signal: AbortSignal.timeout(10_000) })
try {
  const tree = await client.tree(share)
  await tree.writeFile('note.txt', Buffer.from('hello'))
  for await (const { name, size } of tree.list()) console.log(name, size)
  console.log(String(await tree.readFile('note.txt', { signal: AbortSignal.timeout(5000) })))
} finally {
  // TREE_DISCONNECT app, LOGOFF srv, FIN srv: what the server answered to each
  for (const { phase, name, status, ok } of await client.close()) if (phase === 'teardown') console.log(name, status ?? ok)
}
