import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const pages = [...readdirSync(root), ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`)].filter(name => name.endsWith('.md'))

/** How a heading is linked to. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

test('every link of the pages leads somewhere', () => {
  let seen = 0
  for (const page of pages)
    for (const [, target = ''] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [file = '', section] = target.split('#')
      const path = file === '' ? join(root, page) : join(root, dirname(page), file)
      assert.ok(existsSync(path), `${page}: ${target}`)
      if (section !== undefined) {
        const headings = [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading))
        assert.ok(headings.includes(section), `${page}: ${target}`)
      }
      seen++
    }
  assert.ok(seen > 5, 'links were found')
})

test('every npm script that the pages name is one', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  for (const page of pages)
    for (const [, name = ''] of readFileSync(join(root, page), 'utf8').matchAll(/npm run (?:-s |--silent )?([\w:-]+)/g))
      assert.ok(name in scripts, `${page}: npm run ${name}`)
})
