// What lies among netops's own things and no record of netops names: somebody else's, or of a run that nobody knows any more.

const most = 5

/** For the title of a step that removes what is beside it; empty where there is nothing to name. */
export function leftAlone(names: readonly string[]): string {
  if (names.length === 0) return ''
  const [few, more] = [names.slice(0, most).join(', '), names.length - most]
  return ` (left, because no record of netops names it: ${few}${more > 0 ? ` and ${more} more` : ''})`
}
