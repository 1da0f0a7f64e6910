import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { survivorOf } from './living.ts'

// What we start for ourselves is no part of the program: nobody waits for it, and nobody ends it with the program.

const tools = new Set<number>()

/** Whether this child of ours is a helper or a tool. */
export function isTool(pid: number): boolean {
  return tools.has(pid)
}

/** Every helper and tool is counted while it lives. */
export function countTool(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  tools.add(pid)
  child.once('exit', () => tools.delete(pid))
}

/** Of a tool that starts others, which may become our children: by this variable they are known. */
export const toolMark = (runId: string): Readonly<Record<string, string>> => ({ NBTRUN_TOOL_OF: runId })

/** Whether a process was started by a tool of that run. */
export async function hasToolMark(pid: number, runId: string): Promise<boolean> {
  const folder = survivorOf(pid) ?? `/proc/${pid}`
  const environment = await readFile(`${folder}/environ`, 'latin1').catch(() => '')
  return environment.split('\0').includes(`NBTRUN_TOOL_OF=${runId}`)
}
