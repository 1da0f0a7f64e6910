// The entry of the single executables for Windows (scripts/package/exe.ts), with a console and without: for people, and for the guardian of nbtrun itself.
import { start } from '../main.ts'
import { hasReader, startWithBox } from './box.ts'

const argv = process.argv.slice(2)
void main()

async function main(): Promise<unknown> {
  const { AFTERWARDS_WORD } = await import('../../run/windows/guardian.ts')
  if (argv.length === 2 && argv[0] === AFTERWARDS_WORD) return import('../../run/windows/afterwards.ts')
  return hasReader() ? start(argv) : startWithBox(argv)
}
