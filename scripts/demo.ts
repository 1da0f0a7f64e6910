// npm run demo: a private Samba on this machine, a program on its share, and the server's own count before, during and after.
import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { demo } from '../test/lab/demo.ts'
import { isBuilt } from '../test/lab/built.ts'
import { runAsRoot } from '../test/lab/rootless.ts'

const root = dirname(import.meta.dirname)
if (!isBuilt(root)) execFileSync(process.execPath, [join(root, 'scripts', 'build.js')], { stdio: 'inherit', cwd: root })
process.exitCode = (await runAsRoot()) ?? ((await demo(line => console.log(line))) ? 0 : 1)
