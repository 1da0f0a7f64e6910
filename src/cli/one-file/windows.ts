// The entry of the single executables for Windows (scripts/package/exe.ts), with a console and without.
import { start } from '../main.ts'
import { hasReader, startWithBox } from './box.ts'

const argv = process.argv.slice(2)
void (hasReader() ? start(argv) : startWithBox(argv))
