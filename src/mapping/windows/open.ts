import { loadNative } from './native.ts'
import { netUse } from './net-use.ts'
import type { Network } from './network.ts'
import { wnet } from './wnet.ts'

/** Windows' client by its functions, or by `net use` where koffi does not load. NBTRUN_TEST_NETWORK=net-use takes the second one for a test. */
export async function openNetwork(env: Readonly<Record<string, string | undefined>>): Promise<Network> {
  if (env['NBTRUN_TEST_NETWORK'] === 'net-use') return netUse(env)
  const { koffi } = await loadNative()
  return koffi === undefined ? netUse(env) : wnet(koffi)
}
