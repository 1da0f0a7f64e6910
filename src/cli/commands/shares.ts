import type { Argv } from 'yargs'
import type { SharedThing } from '../../smb/rpc/srvsvc/accounts.ts'
import { output } from '../report.ts'
import { onServer, type Given } from '../server.ts'
import { table } from '../table.ts'
import { withReach } from '../yargs.ts'

export function options(y: Argv): Argv {
  return withReach(
    y
      .usage('nbtrun shares //SERVER [--json] [options]')
      .positional('target', { type: 'string', describe: '//SERVER, by name or by address' })
      .option('json', { type: 'boolean', describe: 'for programs' }),
  )
}

export function run(given: Given): Promise<void> {
  return onServer(given, async ({ host, ask }) => {
    const shares = await ask(service => service.shares())
    if (given['json'] === true) return output(JSON.stringify({ server: host, shares: shares.map(plain) }))
    output(
      table(
        ['SHARE', 'TYPE', 'IN USE', 'COMMENT'],
        shares.map(share => [share.name, share.kind, inUse(share), share.remark]),
      ),
    )
  })
}

/** `1 of 5`, `1`, or nothing where the server does not tell us. */
export function inUse({ uses, limit }: Pick<SharedThing, 'uses' | 'limit'>): string {
  if (uses === null) return '?'
  return limit === null || limit === Number.POSITIVE_INFINITY ? String(uses) : `${uses} of ${limit}`
}

/** JSON knows no infinity: a limit of null is none; what the server does not say is left out. */
export function plain({ limit, uses, path, ...share }: SharedThing): object {
  return {
    ...share,
    ...(path === '' ? {} : { path }),
    ...(limit === null ? {} : { limit: Number.isFinite(limit) ? limit : null }),
    ...(uses === null ? {} : { uses }),
  }
}
