import { Followers, type FollowersOptions } from './followers.ts'
import { describe } from './fuse/opened.ts'
import { findTool } from './fuse/tools.ts'
import { Guardian } from './guardian.ts'
import type { Mapping } from './mapping.ts'

/** No mapping at all: the session alone is held while the program and what it started lives. */
export async function noMapping(runId: string, killAfterMs: number, isBystander?: FollowersOptions['isBystander']): Promise<Mapping> {
  const followers = new Followers(runId, isBystander === undefined ? {} : { isBystander })
  const guardian = await Guardian.start(killAfterMs).catch(() => undefined) // without its tools there is none
  guardian?.watch({ runId })
  return {
    kind: 'none',
    way: 'none',
    unused: followers.gone,
    enter: cwd => entryWords(cwd, findTool('env'), findTool('setpriv')),
    entered: async (pid, exited) => followers.start(pid, exited),
    users: () => followers.list(),
    describe,
    end: async () => {
      followers.stop()
      await guardian?.leave()
    },
  }
}

/** Words for a program that needs no namespace: it starts in its folder, and learns that nbtrun died. */
export function entryWords(cwd: string, env: string | undefined, setpriv: string | undefined): readonly string[] {
  return [
    ...(cwd === process.cwd() || env === undefined ? [] : [env, `--chdir=${cwd}`, '--']),
    ...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM', '--']),
  ]
}
