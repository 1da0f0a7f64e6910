// A server by other hands than Samba's, in SMB1: impacket's. It knows share names in capitals only, and calls a disk by the share's name.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Lab, missing, startLab } from './index.ts'
import { nbtrunReceipt, noMapping, nothingLeftHere } from './nbtrun.ts'

const SCRIPT = join(import.meta.dirname, 'fixtures', 'impacket-smb1-server.py')
const WORK = `set -e
cd "$1"; head -c 1000001 /dev/urandom >"$2/a"; cp "$2/a" b; cp b "$2/c"; cmp "$2/a" "$2/c"
mkdir d; for i in 1 2 3 4 5 6 7 8 9; do echo $i >d/$i; done; mv d/9 d/8; cat d/*; rm d/*; rmdir d; mv b f; ls`

describe('impacket’s server in SMB1', { skip: noMapping || missing('impacket'), timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({ clients: ['client1', 'client2'], reachable: false })
  })
  after(() => lab?.dispose())

  test('does the job, and gets everything back', async () => {
    const host = lab.host('client2')
    const disk = join(host.folder, 'tmp', 'root', 'smb1')
    const folder = join(lab.host('client1').folder, 'tmp', 'root', 'smb1-here')
    for (const path of [disk, folder]) mkdirSync(path)
    const server = lab.spawn('client2', ['/usr/bin/python3', SCRIPT, host.address, disk], { user: 'root' })
    server.stdin?.write(`${lab.password()}\n`)
    try {
      for await (const chunk of server.stdout as AsyncIterable<Buffer>) if (String(chunk).includes('ready')) break
      const call = { user: 'root', share: `//${host.address}/APP`, options: ['--min-dialect', 'NT1'] } as const
      const { code, stdout, stderr, receipt } = await nbtrunReceipt(lab, ['/bin/sh', '-c', WORK, 'sh', '{mount}', folder], call)
      assert.deepEqual([stderr, code, stdout], ['', 0, '1\n2\n3\n4\n5\n6\n7\n9\nf\n'])
      assert.ok(readFileSync(join(disk, 'f')).equals(readFileSync(join(folder, 'a'))))
      assert.deepEqual([receipt.shares[0]?.dialect, receipt.end], ['NT1', 'acknowledged'])
      nothingLeftHere(lab)
    } finally {
      server.kill('SIGKILL')
      await server
    }
  })
})
