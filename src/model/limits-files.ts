// What limits.conf(5) files and unit drop-ins say about the limits of an account or a unit, and who has the last word.
import type { ConfFile, ConfLine } from './sysctl-files.ts'

export interface Account {
  readonly name: string
  /** Undefined where there is no such account yet. */
  readonly uid: number | undefined
}

interface LimitLine extends ConfLine {
  readonly domain: string
  /** `soft`, `hard`, or `-` for both; undefined for a domain that is exempt from all limits. */
  readonly type: string | undefined
  readonly item: string
}

function limitLines({ path, text }: ConfFile): readonly LimitLine[] {
  return text.split('\n').flatMap((whole, index): readonly LimitLine[] => {
    const words = whole.replace(/#.*$/, '').trim().split(/\s+/)
    const [domain = '', type = '', item = '', value = ''] = words
    const place = { path, line: index + 1, domain }
    if (words.length === 2 && type === '-') return [{ ...place, type: undefined, item: '', value: 'no limits at all' }]
    return words.length < 4 ? [] : [{ ...place, type: type.toLowerCase(), item: item.toLowerCase(), value }]
  })
}

export interface LimitConflicts {
  /** Lines that win over ours with another value. */
  readonly winning: readonly ConfLine[]
  /** Lines that say something else and lose. */
  readonly losing: readonly ConfLine[]
}

/**
 * Lines about a limit of an account that disagree with ours.
 * @param files in the order in which pam_limits reads them: limits.conf, then limits.d by name
 * @param ours the path of our own file, which is taken to hold both the soft and the hard limit
 */
export function limitConflicts(
  limit: { readonly account: Account; readonly item: string; readonly value: string },
  files: readonly ConfFile[],
  ours: string,
): LimitConflicts {
  const after = (path: string): boolean => isAfter(path, ours)
  const other = files
    .filter(({ path }) => path !== ours)
    .flatMap(limitLines)
    .filter(({ type, item, value }) => type === undefined || (item === limit.item && !sameLimit(value, limit.value)))
  // limits.conf(5): an entry for the user wins over one for a group or for everybody, wherever it stands.
  const forUser = other.filter(({ domain }) => isUser(domain, limit.account))
  const winning = forUser.filter(({ path, type }) => type === undefined || after(path))
  const forOthers = other.filter(({ domain }) => /^[*@%]/.test(domain) && !domain.startsWith('@@'))
  return { winning, losing: [...forUser.filter((line) => !winning.includes(line)), ...forOthers] }
}

const isUser = (domain: string, { name, uid }: Account): boolean => {
  if (domain === name) return true
  const range = /^(\d*):(\d*)$/.exec(domain)
  if (range === null || uid === undefined) return false
  const [, from = '', to = ''] = range
  // limits.conf(5): without a first number the second is the one account, without a second all from the first on.
  if (from === '') return to !== '' && Number(to) === uid
  return Number(from) <= uid && (to === '' || uid <= Number(to))
}

/** Whether a file is read after ours: limits.conf comes first, whatever its name; then those of limits.d by name. */
const isAfter = (path: string, ours: string): boolean =>
  folderOf(path) === folderOf(ours) && nameOf(path) > nameOf(ours)

const unlimited = new Set(['unlimited', 'infinity', '-1'])
const sameLimit = (one: string, other: string): boolean => one === other || (unlimited.has(one) && unlimited.has(other))

/** The last assignment of a setting in the [Service] section of unit files, read in the order given. */
export function unitSetter(name: string, files: readonly ConfFile[]): ConfLine | undefined {
  return files.flatMap((file) => serviceLines(file, name)).at(-1)
}

/** Assignments in drop-ins that come after ours and say something else (systemd.unit(5): drop-ins are read by name). */
export function laterInUnit(
  name: string,
  value: string,
  files: readonly ConfFile[],
  ours: string,
): readonly ConfLine[] {
  const later = files.filter(({ path }) => path.endsWith('.conf') && nameOf(path) > nameOf(ours))
  const last = unitSetter(
    name,
    later.toSorted((a, b) => (nameOf(a.path) < nameOf(b.path) ? -1 : 1)),
  )
  return last === undefined || last.value === value ? [] : [last]
}

function serviceLines({ path, text }: ConfFile, name: string): readonly ConfLine[] {
  let section = ''
  return text.split('\n').flatMap((whole, index): readonly ConfLine[] => {
    const line = whole.trim()
    if (line.startsWith('[')) section = line
    const at = line.indexOf('=')
    if (section !== '[Service]' || at < 0 || line.slice(0, at).trim() !== name) return []
    return [{ path, line: index + 1, value: line.slice(at + 1).trim() }]
  })
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))
