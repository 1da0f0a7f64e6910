import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

const PYTHON = '/usr/bin/python3'
/** Why there can be none here, or false. */
export const noHeadless = !existsSync(PYTHON) && 'there is no /usr/bin/python3'

/** The first thread ends, and a second one waits for the end of stdin. */
const PROGRAM = `
import ctypes, sys, threading
c = ctypes.CDLL(None)
c.prctl(15, sys.argv[1].encode(), 0, 0, 0)
threading.Thread(target=lambda: sys.stdin.read()).start()
print('ready', flush=True)
c.pthread_exit(None)
`

/** A process whose first thread has ended while another one lives, with this name; its executable is a file of that folder. */
export async function headless(folder: string, file: string, name: string, env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const path = join(folder, file)
  if (!existsSync(path)) copyFileSync(realpathSync(PYTHON), path)
  const child = spawn(path, ['-c', PROGRAM, name], { env: { ...env, PYTHONHOME: '/usr' }, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return child
}
