// The entry of the single executables (scripts/package/exe.ts): `start` for people, and the relay for nbtrun itself.
import { RELAY_WORD } from '../../mapping/fuse/relay-device.ts'
import { start } from '../main.ts'

const argv = process.argv.slice(2)
if (argv.length === 1 && argv[0] === RELAY_WORD) void import('../../mapping/fuse/relay.ts')
else void start(argv)
