#!/usr/bin/env node
// The bundle is imported first and alone: descriptors that are open now are the program's.
let cli
try {
  cli = await import('../dist/cli.js')
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.url ?? error.message).includes('dist/cli.js')) throw error
  console.error('nbtrun: not built; npm run build')
  process.exit(125)
}
await cli.start(process.argv.slice(2))
