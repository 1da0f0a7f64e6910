import { spawn } from 'node:child_process'
import { errnoOf, NbtrunError } from '../../base/errors.ts'
import { failureOf, impossible } from './failures.ts'
import { countHelper, HELPER_ENV, type HelperOptions } from './helper.ts'

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
  countHelper(child)
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096)
  })
  return new Promise((resolve, reject) => {
    child.once('error', cause => reject(impossible('other', `the mapping failed (${cause.message})`, undefined, cause)))
    child.once('close', code => (code === 0 ? resolve() : reject(failureOf(said))))
  })
}

/** Whether it failed of descriptors, of which this process or the machine has none left: another try would fail, too. */
export function lacksDescriptors(thrown: unknown): boolean {
  const errno = errnoOf(thrown instanceof NbtrunError ? thrown.cause : thrown)
  return errno === 'EMFILE' || errno === 'ENFILE'
}
