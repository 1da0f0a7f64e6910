import type { FileInfo, Files, OpenFile, OpenOptions, VolumeInfo } from './files.ts'

/** A folder of a share, seen as if it were the whole share. */
export class Folder implements Files {
  readonly label: string
  readonly #files: Files
  readonly #base: string

  /** `base` is a path on `files` without a backslash at either end. */
  constructor(files: Files, base: string) {
    this.#files = files
    this.#base = base
    this.label = `${files.label}/${base.replaceAll('\\', '/')}`
  }

  #path(path: string): string {
    return path === '' ? this.#base : `${this.#base}\\${path}`
  }

  open(path: string, options: OpenOptions): Promise<OpenFile> {
    return this.#files.open(this.#path(path), options)
  }
  stat(path: string): Promise<FileInfo> {
    return this.#files.stat(this.#path(path))
  }
  makeDirectory(path: string): Promise<FileInfo> {
    return this.#files.makeDirectory(this.#path(path))
  }
  remove(path: string, directory: boolean): Promise<void> {
    return this.#files.remove(this.#path(path), directory)
  }
  rename(from: string, to: string, replace: boolean): Promise<void> {
    return this.#files.rename(this.#path(from), this.#path(to), replace)
  }
  volume(): Promise<VolumeInfo> {
    return this.#files.volume()
  }
}
