import { spawn } from 'node:child_process'
import { countTool } from '../../base/tools.ts'
import { failureOf, notStarted } from './failures.ts'
import { HELPER_ENV, type HelperOptions } from './helper.ts'

export interface ToolOptions {
  readonly complaints?: HelperOptions['complaints']
  /** One of ours that the tool has as its descriptor 3. */
  readonly descriptor?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a tool to its end. Throws MAPPING_FAILED with what it said when it fails. */
export function runTool(words: readonly string[], { complaints = 'pipe', descriptor, env }: ToolOptions = {}): Promise<void> {
  const [command = '', ...args] = words
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', complaints, descriptor ?? 'ignore'], env: { ...HELPER_ENV, ...env } })
  countTool(child)
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096)
  })
  return new Promise((resolve, reject) => {
    child.once('error', cause => reject(notStarted(cause)))
    child.once('close', code => (code === 0 ? resolve() : reject(failureOf(said))))
  })
}
