// Says what the signals it gets ask for; or dies of one.
import { dieOf, watchSignals } from '../../../src/app/signals.ts'
import { within } from '../../../src/base/time.ts'

const [mode, word] = process.argv.slice(2)
if (mode === 'die') {
  watchSignals(() => {})
  dieOf(word as NodeJS.Signals)
} else if (mode === 'stopped') {
  // done 300 ms after it goes on, which is in time: only those count
  const work = new Promise<string>(resolve => process.once('SIGCONT', () => setTimeout(resolve, 300, 'in time')))
  console.log('ready')
  within(3000, () => work).then(console.log, console.log)
} else {
  const watch = watchSignals((action, signal) => console.log(`${action} ${signal}`))
  watch.phase = 'running'
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => console.log(`heard ${signal}`))
  if (word === 'tty') process.stdin.on('end', () => process.exit(0)).resume()
  else setInterval(() => {}, 10_000)
  console.log('ready')
}
