import { join } from 'node:path'
import { type Connection, type Network, WindowsError } from './network.ts'
import { ERROR } from './errors.ts'

/**
 * Windows' own `net use`, where koffi does not load. The password goes to its stdin, never into its words, which everybody can read. It says the number of
 * an error in a sentence of the user's language, and is asked nothing that a sentence would have to be understood for.
 */
export function netUse(env: Readonly<Record<string, string | undefined>>): Network {
  // by its whole path: a net.exe in the current folder would be found first
  const net = join(env['SystemRoot'] ?? env['windir'] ?? 'C:\\Windows', 'System32', 'net.exe')
  const use = async (words: readonly string[], input?: Buffer): Promise<string> => {
    const { execa } = await import('execa')
    const { exitCode, stdout, stderr, failed } = await execa(net, ['use', ...words], {
      input: input ?? '',
      reject: false,
      stripFinalNewline: true,
      windowsHide: true,
    })
    if (!failed) return stdout
    const number = Number(/\b(\d{1,5})\b/.exec(stderr)?.[1] ?? /\b(\d{1,5})\b/.exec(stdout)?.[1] ?? 0)
    throw new WindowsError(number || (exitCode ?? 0), 'net use', number === 0 ? stderr.split('\n', 1)[0] : '')
  }
  return {
    way: 'net-use',
    async connect({ device, remote }, login) {
      const target = device === '' ? [remote] : [device, remote]
      if (login === undefined) {
        await use([...target, '/persistent:no'])
        return
      }
      const text = Buffer.from(login.password.toString('utf16le'), 'utf8')
      const line = Buffer.concat([text, Buffer.from('\r\n')])
      text.fill(0)
      try {
        await use([...target, '*', `/user:${login.user}`, '/persistent:no'], line)
      } finally {
        line.fill(0)
      }
    },
    async cancel({ device, remote }, force) {
      try {
        await use([device === '' ? remote : device, '/delete', force ? '/yes' : '/no'])
      } catch (thrown) {
        if (!(thrown instanceof WindowsError) || thrown.number !== ERROR.notConnected) throw thrown
      }
    },
    async connections() {
      return parseNetUse(await use([]))
    },
    userOf: async () => undefined,
  }
}

/** The lines of `net use` that name a `\\server\share`, with the letter before it; the rest is words of the user's language. */
export function parseNetUse(text: string): readonly Connection[] {
  return text.split(/\r?\n/).flatMap(line => {
    const [, device, remote] = /(?:^|\s)(?:([A-Za-z]:)\s+)?(\\\\[^\\\s]+\\\S+(?: \S+)*)/.exec(line) ?? []
    return remote === undefined ? [] : [{ device: device?.toUpperCase() ?? '', remote }]
  })
}
