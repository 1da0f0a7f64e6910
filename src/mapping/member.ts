import { inodeOf, isLiving, startOf } from '../base/living.ts'

/** A process, told from a later one with its number. */
export class Member {
  readonly #pid: number
  readonly #began: string
  #inode: number | undefined

  private constructor(pid: number, inode: number | undefined, began: string) {
    this.#pid = pid
    this.#inode = inode
    this.#began = began
  }

  /** Undefined when none of its threads lives. Throws where no descriptor is left to look with, as `lives` does. */
  static async of(pid: number): Promise<Member | undefined> {
    const inode = inodeOf(pid)
    const began = await startOf(pid)
    return began === undefined ? undefined : new Member(pid, inode, began)
  }

  /** Mostly at once: only where /proc has forgotten its folder is it asked again when it began. */
  async lives(): Promise<boolean> {
    const inode = inodeOf(this.#pid)
    if (inode === undefined || !isLiving(this.#pid)) return false
    if (inode === this.#inode) return true
    this.#inode = inode
    return (await startOf(this.#pid)) === this.#began
  }
}
