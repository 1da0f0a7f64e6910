// Everything that holds where nbtrun reads the device itself holds through a relay, too.
process.env['RELAYED'] = '1'
await import('./server.test.ts')
await import('./server-faults.test.ts')
await import('./server-locks.test.ts')
