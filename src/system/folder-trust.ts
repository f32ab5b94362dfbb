// Looks at all folders on the way to where netops writes: whoever else could write to one of them could lead it elsewhere, as
// by a link. What is found stays so: in a folder that nobody else may write to, nobody else can change anything.
import { dirname } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import { distrustOf, type Distrust, type OnTheWay } from '../model/folder-trust.ts'
import { hostPaths } from '../model/paths.ts'
import { quoteCommand } from '../model/quote.ts'
import { exec } from './exec.ts'

/** Runs a command that only looks; its code may be anything. */
type Query = (argv: readonly string[]) => Promise<{ readonly stdout: string }>

/** What was found out about folders. */
export interface TrustLook {
  /** The first folder that somebody else has a say in; undefined where there is none. */
  readonly distrust: Distrust | undefined
  /** The folders that are there. */
  readonly there: readonly string[]
}

// A login banner may stand before it. Folders with an access control list come first, up to an empty name: of one that the
// group may write to, the group's bits in the mode are what anybody on that list may do at most (acl(5)). There is hardly ever
// one, so that each folder is looked at by itself only where all of them together look as if.
const look = `printf 'netops %s\\0' "$(id -u)"
case $(ls -ldn -- "$@" 2> /dev/null) in *d????w????+*)
for f; do case $(ls -ldn -- "$f" 2> /dev/null) in d????w????+*) printf '%s\\0' "$f"; esac; done
esac
printf '\\0'
exec stat --printf='%n\\0%f\\0%u\\0%U\\0%G\\0' -- "$@" 2> /dev/null`
const mostLinks = 40 // path_resolution(7)

/** Looks at all folders on the way to some, through links as the kernel follows them. */
export async function lookAtWays(query: Query, folders: readonly string[]): Promise<TrustLook> {
  const way = new Ways(query)
  await way.read([...new Set(folders.flatMap(prefixes))])
  const there: string[] = []
  for (const folder of folders) {
    const found = await way.follow(folder)
    if (found.distrust !== undefined) return { distrust: found.distrust, there }
    if (found.isThere) there.push(folder)
  }
  return { distrust: undefined, there }
}

/**
 * Refuses to write where others may.
 * @throws NetopsError `refused` with the folder and whose it is
 */
export async function refuseDistrusted(query: Query, folders: readonly string[], host?: string): Promise<TrustLook> {
  const found = await lookAtWays(query, folders)
  if (found.distrust === undefined) return found
  const { folder, why, remedy } = found.distrust
  throw new NetopsError('refused', {
    ...(host === undefined ? {} : { host }),
    message: `${folder} ${why}, who could put a link in the way of what is written there; nothing is written below it`,
    hint: `choose a place that nobody else may write to, or make this one so: ${quoteCommand(remedy)}`,
  })
}

/** As {@link refuseDistrusted}, on this machine. */
export async function refuseDistrustedHere(folders: readonly string[]): Promise<void> {
  await refuseDistrusted((argv) => exec(argv), folders)
}

/**
 * Refuses a root, `/` or another, below which others may write where netops keeps what it runs and what it remembers.
 * @throws NetopsError `refused` with the folder and whose it is
 */
export const refuseSharedRoot = (root: string): Promise<void> => {
  const { releases, netopsBuilds, netopsLink, incoming, runs, configDir } = hostPaths(root)
  return refuseDistrustedHere([root, releases, netopsBuilds, dirname(netopsLink), incoming, runs, configDir])
}

const parts = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.')
const prefixes = (path: string): readonly string[] =>
  parts(path).reduce((found, name) => [...found, `${(found.at(-1) ?? '').replace(/\/$/, '')}/${name}`], ['/'])

class Ways {
  readonly #query: Query
  readonly #known = new Map<string, OnTheWay | undefined>()
  #uid = 0

  constructor(query: Query) {
    this.#query = query
  }

  async read(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#known.set(path, undefined)
    const { stdout } = await this.#query(['sh', '-c', look, 'sh', ...paths])
    const [first = '', ...fields] = stdout.split('\0')
    const uid = /netops (\d+)$/.exec(first)?.[1]
    if (uid === undefined) {
      throw new NetopsError('failed', { message: 'cannot look at the folders there: id and stat gave no answer' })
    }
    this.#uid = Number(uid)
    const end = fields.indexOf('')
    const listed = new Set(fields.splice(0, end + 1))
    for (let at = 0; at + 4 < fields.length; at += 5) {
      const [path = '', mode = '', uid = '', user = '', group = ''] = fields.slice(at, at + 5)
      const known = user !== 'UNKNOWN'
      const whose = { uid: Number(uid), user: known ? user : `user ${uid}`, group, isListed: listed.has(path) }
      this.#known.set(path, parseEntry(path, Number.parseInt(mode, 16), whose))
    }
  }

  /** Goes the way to a folder until something of it is missing. */
  async follow(folder: string): Promise<{ readonly distrust: Distrust | undefined; readonly isThere: boolean }> {
    const left = parts(folder)
    let links = 0
    for (let at = '/'; ;) {
      const entry = await this.#entry(at)
      if (entry === undefined || entry.kind === 'other') return { distrust: undefined, isThere: false }
      const isLink = entry.kind === 'link'
      const distrust = distrustOf(entry, this.#uid, left.length === 0 && !isLink ? 'place' : 'way')
      if (distrust !== undefined) return { distrust, isThere: true }
      if (isLink) {
        links += 1
        const target = await this.#target(at)
        if (links > mostLinks) return { distrust: undefined, isThere: false }
        left.unshift(...parts(target))
        at = target.startsWith('/') ? '/' : dirname(at)
      } else if (left.length === 0) return { distrust: undefined, isThere: true }
      const name = left.shift()
      if (name === '..') at = dirname(at)
      else if (name !== undefined) at = `${at === '/' ? '' : at}/${name}`
    }
  }

  async #entry(path: string): Promise<OnTheWay | undefined> {
    if (!this.#known.has(path)) await this.read([path])
    return this.#known.get(path)
  }

  async #target(path: string): Promise<string> {
    return (await this.#query(['readlink', '--', path])).stdout.replace(/\n$/, '')
  }
}

// inode(7), S_IFMT.
const kinds: Readonly<Record<number, OnTheWay['kind']>> = { 0x4000: 'folder', 0xa000: 'link' }

const parseEntry = (path: string, mode: number, whose: Omit<OnTheWay, 'path' | 'kind' | 'mode'>): OnTheWay => ({
  path,
  kind: kinds[mode & 0xf000] ?? 'other',
  mode: mode & 0o7777,
  ...whose,
})
