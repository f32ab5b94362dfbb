// Names and values of kernel parameters, as sysctl(8) and sysctl.d(5) write them.

/** Where a parameter's value is read and set: `net.core.somaxconn` to `/proc/sys/net/core/somaxconn`. */
export function sysctlPath(key: string): string {
  // sysctl.d(5): whichever separator comes first stands for folders, the other one for itself.
  const separator = /[./]/.exec(key)?.[0]
  const path = separator === '/' ? key : key.replaceAll(/[./]/g, (found) => (found === '.' ? '/' : '.'))
  return `/proc/sys/${path}`
}

/** The name with dots of a parameter, however it was written: `net/core/somaxconn` to `net.core.somaxconn`. */
export const sysctlName = (key: string): string =>
  sysctlPath(key)
    .slice('/proc/sys/'.length)
    .replaceAll(/[./]/g, (found) => (found === '.' ? '/' : '.'))

/** Whether two values are the same to the kernel, which separates the numbers of a list by tabs. */
export const sameSysctl = (one: string, other: string): boolean => plainSysctl(one) === plainSysctl(other)

/** A value as people write it: single spaces, nothing around. */
export const plainSysctl = (value: string): string => value.trim().split(/\s+/).join(' ')
