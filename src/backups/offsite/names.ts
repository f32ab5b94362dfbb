// What copies are called elsewhere: by host, id and hash, so that no name ever stands for two contents. Pure.
import { parseBackupId } from '../../model/backup.ts'

/** The parts of a copy: the three files of a backup, and the page that says which objects they are. */
export const copyParts = ['archive', 'index', 'manifest'] as const
export type CopyPart = (typeof copyParts)[number]

// As much of it as a key that may only put has to see in a name (drivers/storage/s3.ts).
const hashDigits = 12
const pageEnding = '.copy.json'

/**
 * The name of an object: `web1/config_20261127_020000.0123456789ab.tar.gz.age`.
 * @param host the folder of the host
 * @param file the backup’s own file: the id with an ending
 * @param sha256 of what is stored there
 */
export function copyName(
  { host, id }: { readonly host: string; readonly id: string },
  file: string,
  { sha256, encrypted }: { readonly sha256: string; readonly encrypted: boolean },
): string {
  return `${host}/${id}.${sha256.slice(0, hashDigits)}${file.slice(id.length)}${encrypted ? '.age' : ''}`
}

/** The file that {@link copyName} makes a page’s name of. */
export const pageFile = (id: string): string => `${id}${pageEnding}`

/** What the name of a page says; undefined for every other object. */
export function parsePageName(name: string): { readonly host: string; readonly id: string } | undefined {
  const [, host = '', id = ''] = /^([^/]+)\/([a-z]+_\d{8}_\d{6})\.[0-9a-f]{12}\.copy\.json$/.exec(name) ?? []
  return parseBackupId(id) === undefined ? undefined : { host, id }
}
