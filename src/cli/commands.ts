/** The commands. They count only as the very first word; each is one module, loaded when it is used. `usageExit`: instead of 125, for words that are not understood. */
export const COMMANDS = {
  sessions: {
    usage: 'sessions <target>',
    help: 'who holds which session and open file; whether a share is full; end them',
    load: () => import('./commands/sessions.ts'),
  },
  shares: { usage: 'shares <target>', help: 'what a server shares', load: () => import('./commands/shares.ts') },
  ipc: { usage: 'ipc <target>', help: 'connect to IPC$, disconnect, show what the server still holds', load: () => import('./commands/ipc.ts') },
  autodisconnect: {
    usage: 'autodisconnect <target> [minutes]',
    help: 'when the server ends idle sessions by itself',
    load: () => import('./commands/autodisconnect.ts'),
  },
  doctor: {
    usage: 'doctor [target]',
    help: 'each step from this machine to the share, timed; each finding with its cure',
    usageExit: 2,
    load: () => import('./commands/doctor.ts'),
  },
  script: { usage: 'script [template]', help: 'print or write a login script or launcher', load: () => import('./commands/script.ts') },
  runs: { usage: 'runs', help: 'the runs of this user, and what dead ones left', load: () => import('./commands/runs.ts') },
  reap: { usage: 'reap [target]', help: 'give back what dead runs left', load: () => import('./commands/reap.ts') },
  import: { usage: 'import <file>', help: 'turn a batch file with net use into the same run', load: () => import('./commands/import.ts') },
  config: { usage: 'config', help: 'each value of a run, and where it comes from', load: () => import('./commands/config.ts') },
  completion: { usage: 'completion <shell>', help: 'completion for bash, zsh, fish or PowerShell', load: () => import('./commands/completion.ts') },
  names: { usage: 'names <action> <name>', help: 'ask for NetBIOS names, register and release them', load: () => import('./commands/names.ts') },
} as const

export function isCommand(word: string | undefined): word is keyof typeof COMMANDS {
  return word !== undefined && Object.hasOwn(COMMANDS, word)
}
