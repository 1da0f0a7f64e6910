// Says what the signals it gets ask for; or dies of one.
import { dieOf, watchSignals } from '../../../src/app/signals.ts'
import { onContinue } from '../../../src/app/stopped.ts'

const [mode, word] = process.argv.slice(2)
if (mode === 'die') {
  watchSignals(() => {})
  dieOf(word as NodeJS.Signals)
} else if (mode === 'stopped') {
  const waiting = setInterval(() => {}, 10_000)
  const off = onContinue(ms => {
    console.log(Math.round(ms))
    off()
    clearInterval(waiting)
  })
  console.log('ready')
} else {
  const watch = watchSignals((action, signal) => console.log(`${action} ${signal}`))
  watch.phase = 'running'
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => console.log(`heard ${signal}`))
  if (word === 'tty') process.stdin.on('end', () => process.exit(0)).resume()
  else setInterval(() => {}, 10_000)
  console.log('ready')
}
