import { after, before, describe } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { owes } from './contract/owes.ts'
import { missing } from './missing.ts'
import { offline, WindowsNode, windowsPath } from './windows-node.ts'

describe("the mappings of Windows, on Windows' Node under Wine", { skip: missing('wine', 'mingw') || offline(), timeout: 900_000 }, () => {
  const windows = new WindowsNode()
  let script = ''

  before(async () => {
    await windows.set()
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('contract/windows-child.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: ['koffi'],
      banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
    })
    script = outputFiles[0]?.text ?? ''
  })
  after(() => windows.dispose())

  for (const mapping of ['drive', 'drive by net use', 'none on Windows'] as const) {
    describe(`the mapping ${mapping}`, () => {
      owes(mapping, async () => {
        const beside = `beside ${mapping}` // of its own: each starts to count its words anew
        const { stdout, stderr } = await windows.node(script, [mapping, windowsPath(windows.path(beside)), windowsPath(windows.path('srv/app'))])
        return stdout === '' ? Promise.reject(new Error(stderr)) : stdout
      })
    })
  }
})
