export const isRoot = process.getuid?.() === 0

/** Words that run others in a mount namespace where `script` was run before. */
export function within(script: string): string[] {
  return ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', `${script}\nexec "$@"`, 'sh']
}

/** Words that run others as uid 1000 with a /dev/fuse of their own that everybody may open; the machine's stays as it is. Root of a user namespace cannot make one. */
export function asUser(prepare = ''): string[] {
  const script = `mount -t tmpfs none /mnt && mknod -m 666 /mnt/fuse c 10 229 2>/dev/null && mount --bind /mnt/fuse /dev/fuse; umount -l /mnt; ${prepare}
exec setpriv --reuid=1000 --regid=1000 --groups=1000,24 -- "$@"`
  return isRoot ? within(script) : []
}
