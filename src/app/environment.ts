/** What nbtrun tells its program. */
export interface Told {
  readonly runId: string
  /** The folder of the first share, where it has one. */
  readonly mount?: string | undefined
  /** The first share, such as `//srv/app`. */
  readonly share: string
}

/** The program's environment: ours without nbtrun's own options, then what is told, then what was asked for. */
export function programEnvironment(own: NodeJS.ProcessEnv, { runId, mount, share }: Told, extra: Readonly<Record<string, string>>): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && !name.startsWith('NBTRUN_OPT_') && name !== 'NBTRUN_MOUNT') env[name] = value
  }
  return { ...env, ...(mount === undefined ? {} : { NBTRUN_MOUNT: mount }), NBTRUN_SHARE: share, NBTRUN_RUN_ID: runId, ...extra }
}
