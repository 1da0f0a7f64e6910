// A share for the life of one program: node run.js //srv/app alice ~/.password app.exe /month:10
import { NbtrunError, run } from 'nbtrun'

const [share = '', user, passwordFile, ...program] = process.argv.slice(2)

// nbtrun listens to no signal of a process that is not its own: say what ends the run
const stop = new AbortController()
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())

try {
  const { exit, receipt } = await run({
    share,
    user,
    passwordFile,
    program,
    wait: '10m',
    signal: stop.signal,
    on: event => {
      if (event.type === 'queued') console.log(`${event.share} is full, place ${event.place ?? 'unknown'} in the line of this machine`)
      if (event.type === 'launched') console.log(`${event.program} runs, ${event.shares[0]?.label} is at ${event.shares[0]?.point}`)
    },
  })
  console.log(`exit code ${exit}, ${receipt.end}; given back in ${receipt.releasedMs} ms`)
  process.exitCode = exit
} catch (error) {
  if (!(error instanceof NbtrunError)) throw error
  console.error(`${error.line} [${error.code}]`, error.cause ?? '')
  process.exitCode = error.exit
} // here nothing is held, whatever happened
