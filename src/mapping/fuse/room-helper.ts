import { spawn, type ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { deferred } from '../../base/time.ts'
import { roomFailure } from './room-tools.ts'

/** The descriptor under which the helper holds /dev/fuse while its mount is handed over. */
export const HELPER_FUSE_FD = 4

/**
 * Mounts each point in the helper's own mount namespace. $1 is mount, then source, folder and options of each point. After each mount it waits for a
 * word on descriptor 3, so that the other side can take the FUSE descriptor and serve. It lets go of its own copy, so that a server that closes ends
 * the mount, and looks at the folder: without this first GETATTR the kernel believes the root to be root's and refuses to create files in it.
 */
const SCRIPT = `
mount=$1; shift
while [ $# -gt 0 ]; do
  exec ${HELPER_FUSE_FD}<>/dev/fuse
  "$mount" -i -c -t fuse.nbtrun -o "fd=${HELPER_FUSE_FD},$3" -- "$1" "$2" || exit
  echo mounted >&3
  read -r word <&3 || exit
  exec ${HELPER_FUSE_FD}<&-
  [ -d "$2" ] || { echo "$2 does not answer" >&2; exit 1; }
  shift 3
done
echo done >&3
read -r word <&3
`

/** The process that holds the room open until the program is inside. It ends when its control socket does, whatever becomes of us. */
export class Helper {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #control: Socket
  readonly #exited: Promise<void>
  #alive = true
  #said = ''
  #heard = ''
  #wake: (() => void) | undefined

  private constructor(child: ChildProcess, pid: number, control: Socket) {
    this.pid = pid
    this.#child = child
    this.#control = control
    const { promise, resolve } = deferred<void>()
    this.#exited = promise
    child.once('close', () => {
      this.#alive = false
      this.#wake?.()
      resolve()
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4096)
    })
    control.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text
      this.#wake?.()
    })
    control.on('error', () => {}) // its death is told by 'close'
  }

  /** `unshare` are the words that make the namespaces, `words` the script's own. In a session of its own: no key of the terminal reaches it. */
  static start(sh: string, unshare: readonly string[], words: readonly string[]): Promise<Helper> {
    const [command = '', ...args] = [...unshare, sh, '-c', SCRIPT, 'nbtrun', ...words]
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
      // the newer mount calls leave the file system's subtype out
      env: { LC_ALL: 'C', LIBMOUNT_FORCE_MOUNT2: 'always' },
    })
    return new Promise((resolve, reject) => {
      child.once('error', cause => reject(roomFailure(cause.message)))
      const control = child.stdio[3]
      if (child.pid !== undefined && control instanceof Socket) resolve(new Helper(child, child.pid, control))
    })
  }

  /** The next line it says; throws what its stderr tells when it ended instead. */
  async line(signal: AbortSignal): Promise<string> {
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      for (;;) {
        signal.throwIfAborted()
        const end = this.#heard.indexOf('\n')
        if (end >= 0) {
          const line = this.#heard.slice(0, end)
          this.#heard = this.#heard.slice(end + 1)
          return line
        }
        if (!this.#alive) throw roomFailure(this.#said)
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  goOn(): void {
    this.#control.write('go\n')
  }

  /** Lets it go; resolves when it is gone. */
  leave(): Promise<void> {
    this.#control.destroy()
    return this.#exited
  }

  /** Ends it where it is; resolves when it is gone. */
  kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    return this.leave()
  }
}
