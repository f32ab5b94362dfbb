// Names by pattern, as ssh_config and known_hosts have them, and as hosts are chosen. Pure.

/** Whether a name fits a pattern with `*` and `?` (ssh_config(5), PATTERNS). */
export const fitsPattern = (pattern: string, name: string): boolean =>
  pattern === name ||
  (/[*?]/.test(pattern) &&
    new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
    ).test(name))
