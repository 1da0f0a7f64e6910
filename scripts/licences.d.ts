import type { Metafile } from 'esbuild'

export function licences(metafile: Metafile, more?: readonly string[]): string[]
export function thirdParty(these: string, texts: readonly string[]): string
