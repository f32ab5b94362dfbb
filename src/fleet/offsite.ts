// Copies elsewhere as an operator looks at them, from any machine: which there are, one brought back, and the bucket's rule.
import { readIdentities } from '../archive/encryption/identities.ts'
import { fetchCopy, listCopies, readPage, type Fetched, type FoundCopy } from '../backups/offsite/fetch.ts'
import type { CopyPage } from '../backups/offsite/page.ts'
import type { OpenPlace } from '../drivers/storage/port.ts'
import { usualPatience } from '../drivers/storage/retry.ts'
import { checkLifecycle, lifecycleRule, type Expiry, type LifecycleCheck } from '../drivers/storage/s3-lifecycle.ts'
import type { Sources } from '../config/file-sources.ts'
import { parseBackupId } from '../model/backup.ts'
import type { BackupSettings } from '../model/backup-config.ts'
import { NetopsError } from '../model/errors.ts'
import { placesOf, s3Settings, type S3Settings } from '../model/offsite.ts'
import { parseStoragePlace } from '../model/storage-place.ts'
import { openCopyPlace, s3Credentials } from '../runs/copy-places.ts'
import type { FleetContext } from './context.ts'

export type OffsiteContext = Pick<FleetContext, 'env' | 'progress' | 'signal'> & {
  readonly sources: Sources
  readonly ask?: ((question: string) => Promise<string>) | undefined
}

/** Where copies are looked for, and how the service there is reached. */
export interface From {
  readonly address: string
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  readonly pathStyle: boolean
  /** The folder of the host there; of all hosts, unless said. */
  readonly host?: string | undefined
}

/** What the usual variables say of an S3 service comes before the files of a host: whoever asks may have neither. */
function settingsHere(said: S3Settings, env: FleetContext['env']): S3Settings {
  if (env.AWS_ACCESS_KEY_ID === undefined) return said
  return {
    ...said,
    access_key: { env: 'AWS_ACCESS_KEY_ID' },
    secret_key: { env: 'AWS_SECRET_ACCESS_KEY' },
    ...(env.AWS_SESSION_TOKEN === undefined ? {} : { session_token: { env: 'AWS_SESSION_TOKEN' } }),
  }
}

function settingsOf({ region, endpoint, pathStyle }: From, { env }: OffsiteContext): S3Settings {
  const parsed = s3Settings.safeParse({
    region: region ?? env.AWS_REGION,
    endpoint: endpoint ?? env.AWS_ENDPOINT_URL,
    path_style: pathStyle,
  })
  if (parsed.success) return settingsHere(parsed.data, env)
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new NetopsError('usage', { message: problems.join('\n'), hint: 'see --region and --endpoint' })
}

async function withPlace<T>(
  from: From,
  isEncrypted: boolean,
  context: OffsiteContext,
  work: (place: OpenPlace) => Promise<T>,
): Promise<T> {
  const wanted = { address: from.address, s3: settingsOf(from, context), isEncrypted, root: '/' }
  const place = await openCopyPlace(wanted, context)
  try {
    return await work(place)
  } finally {
    await place.close()
  }
}

export interface ListedCopy extends FoundCopy {
  readonly page: CopyPage
}

/** Copies in a place, the newest first; what is there under their names and is none is told, and keeps no other from being told. */
export const copiesIn = (
  from: From,
  context: OffsiteContext,
): Promise<{ readonly copies: readonly ListedCopy[]; readonly unreadable: readonly string[] }> =>
  // Pages hold nothing that is secret.
  withPlace(from, true, context, async (place) => {
    const copies: ListedCopy[] = []
    const unreadable: string[] = []
    for (const found of await listCopies(place, { host: from.host, signal: context.signal })) {
      try {
        copies.push({ ...found, page: await readPage(place, found.name, context.signal) })
      } catch (error) {
        if (!(error instanceof NetopsError) || (error.code !== 'damaged' && error.code !== 'refused')) throw error
        unreadable.push(error.message)
      }
    }
    return { copies, unreadable }
  })

export interface FetchWanted {
  /** An id, or `latest`. */
  readonly id: string
  /** The folder: absolute. */
  readonly to: string
  /** A file as age-keygen writes it: absolute; none for a copy that is not encrypted. */
  readonly identity: string | undefined
}

/** A backup that was brought, and whose it is. */
export interface FetchedBackup extends Fetched {
  readonly host: string
  readonly page: CopyPage
}

/**
 * Fetches a backup from a place into a folder: decrypted, and every byte of it verified. `restore` goes on from there.
 * @throws NetopsError as `fetchCopy`; `failed` where there is none of that id; `usage` where several hosts have one
 */
export async function fetchBackup(
  from: From,
  { id, to, identity }: FetchWanted,
  context: OffsiteContext,
  onBytes: (done: number, of: number) => void,
): Promise<FetchedBackup> {
  if (id !== 'latest' && parseBackupId(id) === undefined) {
    throw new NetopsError('usage', {
      message: `${id}: expected latest, or an id such as config_20261127_020000`,
      hint: `see which there are: netops backup fetch --list --from ${from.address}`,
    })
  }
  const identities = identity === undefined ? [] : await readIdentities(identity)
  return withPlace(from, identities.length > 0, context, async (place) => {
    const { signal } = context
    const chosen = chooseCopy(await listCopies(place, { host: from.host, signal }), id, place.place)
    const page = await readPage(place, chosen.name, signal)
    return { ...(await fetchCopy({ page, to, identities }, { place, signal, onBytes })), host: chosen.host, page }
  })
}

function chooseCopy(copies: readonly FoundCopy[], id: string, place: string): FoundCopy {
  const hosts = [...new Set(copies.filter((copy) => id === 'latest' || copy.id === id).map(({ host }) => host))]
  const [chosen] = copies.filter((copy) => id === 'latest' || copy.id === id)
  if (chosen === undefined) {
    throw new NetopsError('failed', {
      message: `${place} has no copy ${id === 'latest' ? 'of any backup' : `of ${id}`}`,
      hint: `see which there are: netops backup fetch --list --from ${place}`,
    })
  }
  if (hosts.length === 1) return chosen
  throw new NetopsError('usage', {
    message: `${place} has copies of several hosts: ${hosts.slice(0, 20).join(', ')}`,
    hint: `say whose is meant: --of ${hosts[0] ?? 'HOST'}`,
  })
}

/** What a bucket's rule should be, and what it is. */
export interface LifecycleReport {
  readonly address: string
  readonly rule: ReturnType<typeof lifecycleRule>
  readonly found: LifecycleCheck
}

const dayMs = 86_400_000
// A backup of which nothing had changed has the archive of an older one, at most as old as the last rebuild (procedures/backup).
const sharedDays = 7
// Far longer than any put takes that is still gone on with.
const partsDays = 7

/** After how many days copies expire: when no backup that is kept can need them any more. Pure. */
export const copyExpiry = ({ within }: BackupSettings['keep']): Expiry => ({
  days: Math.max(1, Math.ceil(within / dayMs)) + sharedDays,
  partsDays,
})

/**
 * Looks at the rules of the buckets that a fleet file names.
 * @throws NetopsError `usage` where it names none; as the service where it cannot be asked
 */
export async function lifecycleReports(
  { offsite, keep, s3 }: Pick<BackupSettings, 'offsite' | 'keep' | 's3'>,
  context: OffsiteContext,
): Promise<readonly LifecycleReport[]> {
  const reports: LifecycleReport[] = []
  const settings = settingsHere(s3, context.env)
  for (const address of placesOf(offsite)) {
    const place = parseStoragePlace(address)
    if ('fault' in place || place.kind !== 's3') continue
    const expiry = copyExpiry(keep)
    const { region, endpoint, path_style: pathStyle } = settings
    const credentials = () => s3Credentials({ s3: settings, root: '/' }, context)
    const { bucket, prefix } = place
    const at = { bucket, prefix, region, endpoint, pathStyle, credentials, patience: usualPatience }
    const found = await checkLifecycle(at, expiry, { signal: context.signal })
    reports.push({ address, rule: lifecycleRule(place, expiry), found })
  }
  if (reports.length > 0) return reports
  throw new NetopsError('usage', {
    message: 'the fleet file names no bucket for copies',
    hint: 'backup.offsite: s3://bucket/prefix; in a folder, old copies are for whoever owns it to remove',
  })
}
