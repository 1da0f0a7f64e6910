import type { Metafile } from 'esbuild'

export function licences(metafiles: readonly Metafile[], more?: readonly string[]): string[]
export function thirdParty(these: string, texts: readonly string[]): string
