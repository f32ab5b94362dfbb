// Opens places for copies on this machine: secrets from where they are kept, read late; logins as its own SSH does them.
import { stat } from 'node:fs/promises'
import type { Sources } from '../config/file-sources.ts'
import { openStorage } from '../drivers/storage/choose.ts'
import { notesInFile } from '../drivers/storage/notes.ts'
import type { OpeningPlace, OpenPlace } from '../drivers/storage/port.ts'
import { fileSource } from '../drivers/storage/source.ts'
import type { S3Credentials } from '../drivers/storage/s3-client.ts'
import { NetopsError, systemCode } from '../model/errors.ts'
import { describeSource, type FileSource } from '../model/file-source.ts'
import type { S3Settings } from '../model/offsite.ts'
import { below } from '../model/paths.ts'
import { quoteCommand } from '../model/quote.ts'
import { parseStoragePlace } from '../model/storage-place.ts'
import { homeFolder } from '../system/account.ts'

/** What opening places takes of the outside. */
export interface PlacesOutside {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly sources: Sources
  /** Hears what SSH has to say. */
  readonly progress: (line: string) => void
  /** Asks for a passphrase; undefined where nobody sits at a terminal. */
  readonly ask?: ((question: string) => Promise<string>) | undefined
}

/**
 * Opens a place. Nothing is connected to, and no secret read, before something is asked of it.
 * @throws NetopsError `usage` for an address that is none; `refused` for what would go in the clear
 */
export async function openCopyPlace(wanted: OpeningPlace, outside: PlacesOutside): Promise<OpenPlace> {
  const place = parseStoragePlace(wanted.address)
  if ('fault' in place) throw new NetopsError('usage', { message: `${wanted.address.slice(0, 200)}: ${place.fault}` })
  const { region, endpoint, path_style: pathStyle } = wanted.s3
  const storage = await openStorage(place, {
    isEncrypted: wanted.isEncrypted,
    s3: { region, endpoint, pathStyle, credentials: () => s3Credentials(wanted, outside) },
    async files({ user, address, port }) {
      const { SshHosts } = await import('../drivers/hosts/ssh.ts')
      const { env, progress, ask } = outside
      const hosts = new SshHosts({ home: homeFolder(), env, ask, tell: progress, acceptNewHostKeys: false })
      return hosts.files({ name: address, address, port, user })
    },
  })
  return {
    place: storage.place,
    get: (name, options) => storage.get(name, options),
    list: (prefix, options) => storage.list(prefix, options),
    verify: (name, expected, options) => storage.verify(name, expected, options),
    putFile: (name, file, { notes, ...options }) =>
      storage.put(name, fileSource(file), { ...options, notes: notesInFile(notes) }),
    close: () => storage.close(),
  }
}

/** @throws NetopsError `usage` where there are none; `refused` where others may read them. No message holds any */
export async function s3Credentials(
  { s3, root }: Pick<OpeningPlace, 's3' | 'root'>,
  { sources }: Pick<PlacesOutside, 'sources'>,
): Promise<S3Credentials> {
  const read = async (key: keyof S3Settings & `${string}_${'key' | 'token'}`, source: FileSource): Promise<string> => {
    const what = `backup.s3.${key}`
    const placed = 'file' in source ? { file: below(root, source.file) } : source
    if ('file' in placed) await refuseShared(what, placed.file)
    return sources.secret(what, placed, '/')
  }
  const [accessKey, secretKey, sessionToken] = await Promise.all([
    read('access_key', s3.access_key),
    read('secret_key', s3.secret_key),
    s3.session_token === undefined ? undefined : read('session_token', s3.session_token),
  ])
  return { accessKey, secretKey, sessionToken }
}

async function refuseShared(what: string, file: string): Promise<void> {
  const found = await stat(file).catch((error: unknown) => {
    throw new NetopsError('usage', {
      message: `${what}: ${describeSource({ file })}: ${systemCode(error) === 'ENOENT' ? 'there is no such file' : String(systemCode(error))}`,
      hint: 'write the key there with mode 0600, or say where it is: backup.s3 in the fleet file',
    })
  })
  if ((found.mode & 0o077) === 0 && (found.uid === 0 || found.uid === process.getuid?.())) return
  throw new NetopsError('refused', {
    message: `${what}: ${file} belongs to another, or others may read it`,
    hint: `keep it to yourself: ${quoteCommand(['chmod', '600', file])}`,
  })
}
