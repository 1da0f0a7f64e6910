import { createServer } from 'node:net'
import { pause } from '../../src/base/time.ts'
import { Lab } from './lab.ts'
import { startLab } from './start.ts'

/** Names the labs that the test runner started, one per lane: their files, separated by colons. */
export const POOL = 'LAB_POOL'

let used: Promise<Lab> | undefined

/**
 * The lab of this test file: one of the runner's, claimed for this process alone and cleaned, or one of its own when the file runs by
 * itself. A test that breaks a host (`powerOff`) or wants other settings starts its own with `startLab`.
 */
export function useLab(): Promise<Lab> {
  used ??= claim(process.env[POOL])
  return used
}

async function claim(pool: string | undefined): Promise<Lab> {
  if (pool === undefined || pool === '') return startLab()
  for (;;) {
    for (const file of pool.split(':')) {
      if (!(await lock(file))) continue
      const lab = Lab.attach(file)
      await lab.reset()
      return lab
    }
    await pause(50)
  }
}

/** An abstract socket is a lock which the kernel gives back when its holder ends, however it ends. unix(7). */
function lock(name: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createServer().unref()
    socket.once('error', () => resolve(false))
    socket.listen(`\0${name}`, () => resolve(true))
  })
}
