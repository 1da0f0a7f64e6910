import type koffiType from 'koffi'

export type Koffi = typeof koffiType

/** koffi, the one part that is not Node's own, or why it does not load. */
export type Native = { readonly koffi: Koffi } | { readonly koffi: undefined; readonly why: string }

let loaded: Promise<Native> | undefined

export function loadNative(): Promise<Native> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Native> {
  try {
    const { default: koffi } = await import('koffi')
    koffi.load('kernel32.dll')
    return { koffi }
  } catch (thrown) {
    return { koffi: undefined, why: thrown instanceof Error ? (thrown.message.split('\n', 1)[0] ?? '') : String(thrown) }
  }
}
