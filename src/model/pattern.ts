// Names by pattern, as ssh_config and known_hosts have them, and as hosts are chosen. Pure.

/**
 * Whether a name fits a pattern with `*` and `?` (ssh_config(5), PATTERNS). No regular expression: one with several stars
 * takes time that grows with a power of the name's length.
 */
export function fitsPattern(pattern: string, name: string): boolean {
  // Where to go on when what follows the last star does not fit: one character later.
  let star = -1
  let from = 0
  let at = 0
  for (let read = 0; read < name.length;) {
    const wanted = pattern[at]
    if (wanted === '*') {
      star = at
      from = read
      at += 1
    } else if (wanted === '?' || (wanted !== undefined && wanted === name[read])) {
      at += 1
      read += 1
    } else if (star >= 0) {
      from += 1
      read = from
      at = star + 1
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
