/** The commands. They count only as the very first word; each is one module, loaded when it is used. */
export const COMMANDS = {
  script: { usage: 'script [template]', help: 'print or write a login script or launcher', load: () => import('./commands/script.ts') },
  names: { usage: 'names <action> <name>', help: 'ask for NetBIOS names, register and release them', load: () => import('./commands/names.ts') },
} as const

export function isCommand(word: string | undefined): word is keyof typeof COMMANDS {
  return word !== undefined && Object.hasOwn(COMMANDS, word)
}
