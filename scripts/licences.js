import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Of esbuild's metafile: the licence of every package that has code in the bundle, and of those whose folders are named. */
export function licences({ outputs }, more = []) {
  const folders = new Set(more)
  for (const { inputs } of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []
      if (folder !== undefined && bytesInOutput > 0) folders.add(folder)
    }
  return [...folders]
    .sort((a, b) => (a < b ? -1 : 1))
    .map(folder => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const file = readdirSync(folder).find(f => /^licen[cs]e/i.test(f))
      if (file === undefined) throw new Error(`${name} has no licence file`)
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
    })
}

/** One text of them all; `these` are the things they are in. */
export function thirdParty(these, texts) {
  return `${these} contain code of these packages.\n\n${texts.join(`\n${'-'.repeat(72)}\n\n`)}`
}
