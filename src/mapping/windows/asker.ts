import type koffiType from 'koffi'

type Koffi = typeof koffiType

// winuser.h, wincon.h
const WM_CLOSE = 0x10
const GW_OWNER = 4
const CTRL_C_EVENT = 0
const MOST_ON_CONSOLE = 256

/** Our own ear for Ctrl-C is stopped so long, ms: Windows tells each process of the console in a thread that it makes there. */
const DEAF_MS = 1000

/**
 * Asks programs to end as a user would: those with windows by closing these, those of our console by Ctrl-C. Windows gives Ctrl-C to everybody on a console, so
 * nobody is asked where others are on it: a batch file would be ended with the program.
 */
export class Asker {
  readonly #api: ReturnType<typeof functions>
  /** Whose windows were closed: one that asks back is another window of the same process, and closing that means no. */
  readonly #asked = new Set<number>()
  #interrupted = false

  constructor(koffi: Koffi) {
    this.#api = functions(koffi)
  }

  /** To be called again while some are left: a window may come late. `heard`: our console has had a Ctrl-C already. */
  ask(pids: readonly number[], heard: boolean): void {
    const closed = this.#api.closeWindows(pid => pids.includes(pid) && !this.#asked.has(pid))
    for (const pid of closed) this.#asked.add(pid)
    if (this.#interrupted || heard) return
    const others = this.#api.onConsole().filter(pid => pid !== process.pid)
    if (others.length === 0 || !others.every(pid => pids.includes(pid))) return
    this.#interrupted = true
    this.#api.ignoreInterrupt(true)
    this.#api.interrupt()
    setTimeout(() => this.#api.ignoreInterrupt(false), DEAF_MS).unref()
  }
}

function functions(koffi: Koffi) {
  const user = koffi.load('user32.dll')
  const each = koffi.pointer(koffi.proto('int', ['int64_t', 'int64_t']))
  const enumWindows = user.func('EnumWindows', 'int', [each, 'int64_t'])
  const ownerOf = user.func('uint32_t GetWindowThreadProcessId(int64_t window, void *pid)')
  const isVisible = user.func('int IsWindowVisible(int64_t window)')
  const getWindow = user.func('int64_t GetWindow(int64_t window, uint32_t which)')
  const post = user.func('int PostMessageW(int64_t window, uint32_t message, uint64_t first, int64_t second)')
  const kernel = koffi.load('kernel32.dll')
  const consoleWindow = kernel.func('int64_t GetConsoleWindow()')
  const consoleList = kernel.func('uint32_t GetConsoleProcessList(void *list, uint32_t count)')
  const generate = kernel.func('int GenerateConsoleCtrlEvent(uint32_t event, uint32_t group)')
  const setHandler = kernel.func('int SetConsoleCtrlHandler(void *handler, int add)')
  return {
    /** Asks every main window of these processes to close. Returns whose there were. */
    closeWindows(isWanted: (pid: number) => boolean): ReadonlySet<number> {
      const closed = new Set<number>()
      const ours = Number(consoleWindow())
      enumWindows((window: number) => {
        const pid = Buffer.alloc(4)
        ownerOf(window, pid)
        const owner = pid.readUInt32LE(0)
        const isMain = Number(isVisible(window)) !== 0 && Number(getWindow(window, GW_OWNER)) === 0
        if (isMain && window !== ours && isWanted(owner) && Number(post(window, WM_CLOSE, 0, 0)) !== 0) closed.add(owner)
        return 1
      }, 0)
      return closed
    },
    /** Every process of our console; none where we have none. */
    onConsole(): readonly number[] {
      const list = Buffer.alloc(4 * MOST_ON_CONSOLE)
      const count = Number(consoleList(list, MOST_ON_CONSOLE))
      return count > MOST_ON_CONSOLE ? [0] : Array.from({ length: count }, (_, i) => list.readUInt32LE(4 * i))
    },
    interrupt: (): void => void generate(CTRL_C_EVENT, 0),
    ignoreInterrupt: (ignored: boolean): void => void setHandler(null, ignored ? 1 : 0),
  }
}
