// Whether anybody but root, and the account that netops itself runs as, can put something of theirs on the way to a path. Pure.

/** A folder or link on the way to a path, as lstat tells it. */
export interface OnTheWay {
  readonly path: string
  readonly kind: 'folder' | 'link' | 'other'
  /** The permission bits. */
  readonly mode: number
  readonly uid: number
  readonly user: string
  readonly group: string
  /** Whether a list of accounts and groups of its own (acl(5)) says who else may write to it, besides these. */
  readonly isListed: boolean
}

/** Somebody else has a say in what lies in a folder. */
export interface Distrust {
  readonly folder: string
  /** `belongs to alice`, for after the folder's name. */
  readonly why: string
  /** A command that ends it. */
  readonly remedy: readonly string[]
}

// Groups whose members are root by other means: Debian Policy, 9.1.2, makes /usr/local writable for staff.
const rootsGroups = ['root', 'staff']

/** A group that is named as its only member, as useradd(8) makes one for each account, is nobody else. */
const isOwnGroup = ({ uid, user, group }: OnTheWay): boolean =>
  group === user || (uid === 0 && rootsGroups.includes(group))

/**
 * Why what lies on the way is not to be trusted; undefined where it is.
 * @param uid the account that netops runs as
 * @param as a folder that is only gone through may be one like /tmp, in which everybody can make things and nobody can move
 * another's; what is put into a `place` itself must not lie beside other people's things
 */
export function distrustOf(entry: OnTheWay, uid: number, as: 'way' | 'place'): Distrust | undefined {
  const { path: folder, kind, mode, user } = entry
  const distrust = (why: string, remedy: readonly string[]): Distrust => ({ folder, why, remedy })
  const own = uid === 0 ? 'root' : String(uid)
  if (entry.uid !== 0 && entry.uid !== uid) {
    const chown = ['chown', ...(kind === 'link' ? ['-h'] : []), own, folder]
    return distrust(`${kind === 'link' ? 'is a link that ' : ''}belongs to ${user}`, chown)
  }
  // A link has no mode of its own.
  if (kind !== 'folder') return undefined
  const isSticky = (mode & 0o1000) !== 0
  if (isSticky && as === 'way') return undefined
  if ((mode & 0o002) !== 0) return distrust('may be written to by anybody', ['chmod', 'go-w', folder])
  if ((mode & 0o020) !== 0 && entry.isListed) {
    return distrust('has an access control list that lets others write to it', ['setfacl', '-b', folder])
  }
  if ((mode & 0o020) !== 0 && !isOwnGroup(entry)) {
    return distrust(`may be written to by the group ${entry.group}`, ['chmod', 'g-w', folder])
  }
  return undefined
}
