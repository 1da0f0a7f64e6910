/**
 * npm run bench: how long commands take to start, as ratios to a bare Node, and what a run costs beside smbclient; `-- start` or `-- smbclient` for one of them.
 * A figure of another run, machine or day compares with nothing.
 */
const PARTS = {
  async start() {
    await import('./start.ts')
    await import('./one-file.ts')
  },
  smbclient: () => import('./smbclient.ts'),
}

const [only] = process.argv.slice(2)
if (only !== undefined && !Object.hasOwn(PARTS, only)) throw new Error(`${only} is none of ${Object.keys(PARTS).join(', ')}`)
for (const [name, load] of Object.entries(PARTS)) if (only === undefined || only === name) await load()
