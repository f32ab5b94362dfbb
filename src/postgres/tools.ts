// Where PostgreSQL's programs lie on a host, and of which version they are.
import { NetopsError } from '../model/errors.ts'
import type { RunThere } from './ask.ts'

/** PostgreSQL's programs of one version. */
export interface PostgresTools {
  readonly bin: string
  readonly major: number
}

// Debian's place, PGDG's on other systems, and whatever the search path has.
const look = `for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do [ -x "$folder/$1" ] && printf '%s\\n' "$folder"; done
found=$(command -v "$1") && dirname -- "$(readlink -f -- "$found")"
exit 0`

interface Where {
  /** A folder to look into, instead of the usual ones. */
  readonly given?: string | undefined
  /** The one version that will do. */
  readonly major?: number
}

/**
 * The programs of the newest version that are all there.
 * @param programs what is needed of them: `pg_receivewal`
 * @throws NetopsError `refused` where there are none
 */
export async function findTools(
  run: RunThere,
  programs: readonly string[],
  { given, major }: Where = {},
): Promise<PostgresTools> {
  const [first = ''] = programs
  const folders =
    given === undefined ? (await run(['sh', '-c', look, 'sh', first])).stdout.split('\n').filter(Boolean) : [given]
  let newest: PostgresTools | undefined
  for (const bin of new Set(folders)) {
    const found = await versionIn(run, bin, programs)
    const fits = found !== undefined && (major === undefined || found === major)
    if (fits && found > (newest?.major ?? 0)) newest = { bin, major: found }
  }
  if (newest !== undefined) return newest
  const version = major === undefined ? '' : ` ${major}`
  const isServer = programs.includes('pg_ctl')
  throw new NetopsError('refused', {
    message: `the programs ${programs.join(', ')} of PostgreSQL${version} are not ${given === undefined ? 'installed here' : `in ${given}`}`,
    hint: `install them, of the server's version: apt-get install postgresql${isServer ? '' : '-client'}${major === undefined ? '' : `-${major}`}`,
  })
}

/** The version that all of these have in a folder; undefined where one is missing. */
async function versionIn(run: RunThere, bin: string, programs: readonly string[]): Promise<number | undefined> {
  let major: number | undefined
  for (const program of programs) {
    // env(1) answers where there is no such program.
    const { code, stdout } = await run(['env', 'LC_ALL=C', `${bin}/${program}`, '--version'], { most: 4096 })
    const said = majorIn(stdout)
    if (code !== 0 || said === undefined) return undefined
    major = Math.min(major ?? said, said)
  }
  return major
}

/** @returns the major version that a program says it is of: `pg_receivewal (PostgreSQL) 15.18 (Debian ...)` */
export function majorIn(said: string): number | undefined {
  const [, major] = /\(PostgreSQL\) (\d{1,3})/.exec(said) ?? []
  return major === undefined ? undefined : Number(major)
}
