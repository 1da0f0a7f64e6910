import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { missing } from './index.ts'
import { isMachineRoot } from './packages.ts'

const skip = missing('lab', 'rootless') || (!isMachineRoot() && 'is an ordinary user’s lab already: only root of the machine can become an ordinary user')

/** Runs a script of sh as an ordinary user, in a pid namespace of their own. */
async function asUser(script: string): Promise<string> {
  const repository = join(import.meta.dirname, '..', '..')
  const { all } = await execa(join(repository, '.ci', 'as-user'), ['sh', '-c', script], {
    all: true,
    timeout: 280_000,
    reject: false,
    env: { NBTRUN_LAB_APT: '0' },
  })
  return all
}

test('an ordinary user has a lab: root of a namespace, with users of its own on its clients, and /dev/fuse', { skip }, async () => {
  const said = await asUser(
    `id -u; npm run --silent lab -- sh -c 'id -u; hostname; setpriv --reuid=2001 --clear-groups id -u; : <>/dev/fuse && echo fuse; exit 7'; echo "exit $?"`,
  )
  assert.match(said, /^(?!0$)\d+$/m)
  assert.match(said, /^0\nclient1\n2001\nfuse$/m)
  assert.match(said, /^lab: srv has 0 sessions after$/m)
  assert.match(said, /^exit 7$/m)
})

for (const signal of ['KILL', 'TERM'] as const) {
  test(`an ordinary user's lab ends with its owner at SIG${signal}, and the next one removes what is left of it`, { skip }, async () => {
    const said = await asUser(`
export TMPDIR=$HOME/tmp; mkdir "$TMPDIR"
node --import tsx scripts/lab.ts -- sh -c 'setsid sleep 600 & echo up; exec sleep 600' >"$TMPDIR/said" 2>&1 &
owner=$!
until grep -q ^up "$TMPDIR/said" || ! kill -0 $owner; do sleep 0.05; done
processes() { ls -d /proc/[0-9]* | wc -l; }
echo "many: $(processes)"
kill -${signal} $owner; wait $owner
left() { cat /proc/[0-9]*/comm 2>/dev/null | grep -E '^(smbd|nmbd|unshare|node)$' | tr '\\n' ' '; }
for i in $(seq 1000); do [ "$(left)" = '' ] || sleep 0.05; done
folders() { ls "$TMPDIR" | grep rootless; }
echo "left: $(left)"
echo "folders: $(folders)"
node --import tsx scripts/lab.ts -- true >/dev/null 2>&1
echo "folders after the next: $(folders)"`)
    assert.ok(Number(/^many: (\d+)$/m.exec(said)?.[1]) > 10, said)
    assert.match(said, /^left: $/m)
    assert.match(said, signal === 'KILL' ? /^folders: nbtrun-rootless-\w+$/m : /^folders: $/m)
    assert.match(said, /^folders after the next: $/m)
  })
}
