// As nbtrun does it: notes the inherited descriptors, opens some of its own, and starts a program that prints those it finds.
import { openSync } from 'node:fs'
import { createServer } from 'node:net'
import { inheritedDescriptors } from '../../../src/app/descriptors.ts'
import { startProgram } from '../../../src/app/start.ts'

const descriptors = inheritedDescriptors()
openSync('/etc/services', 'r')
const server = createServer().listen(0, '127.0.0.1')
const LIST = `
import json, os
seen = {}
for fd in sorted(os.listdir('/proc/self/fd'), key=int):
    try: seen[fd] = os.readlink('/proc/self/fd/' + fd)
    except OSError: pass
print(json.dumps(seen))`
const program = await startProgram({ words: ['/usr/bin/python3', '-c', LIST], env: {}, descriptors })
await program.exited
server.close()
