// What each host of a fleet has of backups: read by plain commands, so that no netops is needed there.
import { join } from 'node:path'
import * as z from 'zod'
import { manifestFile } from '../archive/manifest.ts'
import { listBackups, readBackup, type Catalogue } from '../backups/catalogue.ts'
import { compareBackup, type Comparison } from '../backups/compare.ts'
import { judgeExpiry, type Verdict } from '../backups/expiry.ts'
import { judgeBackups, type BackupStanding } from '../backups/standing.ts'
import { checkpointFolder, checkpointsIn } from '../backups/state-copies.ts'
import type { HostConnection, HostReader } from '../drivers/hosts/port.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import type { BackupEntry } from '../model/backup.ts'
import type { BackupSettings } from '../model/backup-config.ts'
import { errorCodes, NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { placesOf } from '../model/offsite.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { readState } from '../procedures/backup/facts.ts'
import { keepOf } from '../procedures/backup/request.ts'
import { readClock } from '../procedures/gc/clean-up.ts'
import { usualMostKept } from '../postgres/archive-status.ts'
import { readCatalogue } from '../procedures/read-catalogue.ts'
import { readLocalFile } from '../system/local-file.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { ownNetops } from './own-netops.ts'
import { onEachHost, type HostAnswer } from './pool.ts'
import { netopsOnHost } from './run-hosts.ts'
import { readHostArchive } from './wal-archives.ts'

/** All backups of each host. */
export const backupsOf = (fleet: Fleet, context: FleetContext): Promise<readonly HostAnswer<Catalogue>[]> =>
  onReaders(fleet, context, (reader, { root }) => readCatalogue(reader, hostPaths(root).catalogue))

/** How each host's backups stand beside what is promised. */
export const backupStandings = (fleet: Fleet, context: FleetContext): Promise<readonly HostAnswer<BackupStanding>[]> =>
  onReaders(fleet, context, async (reader, { root }) => {
    const { objectives } = fleet.backup
    const [nowMs, catalogue, names, state, archive] = await Promise.all([
      readClock(reader),
      readCatalogue(reader, hostPaths(root).catalogue),
      reader.list(checkpointFolder(root)),
      readState(reader, root),
      readHostArchive(reader, root, { rpoMs: objectives.rpo.log, mostKept: usualMostKept }),
    ])
    const log = archive === undefined ? undefined : { behindMs: archive.lag?.ms, problems: archive.problems }
    const { entries, damaged } = catalogue
    const checkpointMs = checkpointsIn(names)[0]?.takenMs
    const unreadable = damaged.map(({ message }) => message)
    return judgeBackups({ nowMs, entries, unreadable, checkpointMs, state, log }, promisedBy(fleet.backup))
  })

/** What the rules say of each host's backups now. */
export const expiryOf = (fleet: Fleet, context: FleetContext): Promise<readonly HostAnswer<readonly Verdict[]>[]> =>
  onReaders(fleet, context, async (reader, { root }) => {
    const [nowMs, { entries }] = await Promise.all([
      readClock(reader),
      readCatalogue(reader, hostPaths(root).catalogue),
    ])
    return judgeExpiry(entries, keepOf(fleet.backup.keep), nowMs)
  })

const promisedBy = ({ objectives: { rpo, verified }, offsite }: BackupSettings) => ({
  ...{ configurationMs: rpo.configuration, stateMs: rpo.state, logMs: rpo.log, verifiedMs: verified },
  places: placesOf(offsite),
})

/** A backup, and what its manifest names of what is not in it as it should be. */
export interface ShownBackup {
  readonly entry: BackupEntry
  /** The folder to which its names are relative. */
  readonly root: string
  readonly troubles: readonly string[]
}

/** One backup of each host; the newest where no id is given. */
export const showBackups = (
  fleet: Fleet,
  id: string | undefined,
  context: FleetContext,
): Promise<readonly HostAnswer<ShownBackup>[]> =>
  onReaders(fleet, context, async (reader, { root, name }) => {
    const { entries } = await readCatalogue(reader, hostPaths(root).catalogue)
    const entry = id === undefined ? entries[0] : entries.find((one) => one.id === id)
    if (entry === undefined) throw noBackup(id, name)
    return { entry, root, troubles: await namedTroubles(reader, entry) }
  })

const noBackup = (id: string | undefined, host: string): NetopsError =>
  new NetopsError('failed', {
    host,
    message: id === undefined ? 'there is no backup' : `there is no backup ${id}`,
    hint: id === undefined ? 'make one: netops backup' : 'see which there are: netops backup list',
  })

const named = z.object({
  troubles: z.array(z.object({ name: z.string(), what: z.string(), reason: z.string() })),
})

async function namedTroubles(reader: HostReader, entry: BackupEntry): Promise<readonly string[]> {
  if (Object.values(entry.troubles).every((count) => count === 0)) return []
  const text = await reader.readText(join(entry.folder, manifestFile(entry.id)))
  const found = named.safeParse(parseJson(text ?? ''))
  return found.success ? found.data.troubles.map(({ name, what, reason }) => `${name}: ${what} (${reason})`) : []
}

const onReaders = <T>(
  { targets, environment }: Fleet,
  context: FleetContext,
  read: (reader: HostReader, to: Target) => Promise<T>,
): Promise<readonly HostAnswer<T>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, to) => {
        await guardEnvironment(to, connection, environment)
        return read(readerOf(connection), to)
      },
    },
    context,
  )

/**
 * A backup of each host beside its disk; the newest where no id is given. What is compared lies on the host, and its own netops
 * reads it.
 */
export async function compareBackups(
  { targets, environment }: Fleet,
  id: string | undefined,
  context: FleetContext,
): Promise<readonly HostAnswer<Comparison>[]> {
  const isRemote = targets.some(({ kind }) => kind !== 'local')
  const own = isRemote ? (await readLocalFile(ownNetops(context))).sha256 : ''
  return onEachHost(
    {
      targets,
      work: async (connection, to) => {
        if (to.kind === 'local') return compareHere(to.root, id)
        await guardEnvironment(to, connection, environment)
        return compareThere(connection, id, { to, own, signal: context.signal })
      },
    },
    context,
  )
}

async function compareHere(root: string, id: string | undefined): Promise<Comparison> {
  const { catalogue } = hostPaths(root)
  if (id !== undefined) return compareBackup(await readBackup(catalogue, id), root)
  const [newest] = (await listBackups(catalogue)).entries
  if (newest === undefined) throw noBackup(undefined, 'local')
  return compareBackup(newest, root)
}

const comparison = z.object({
  id: z.string(),
  counts: z.object({ added: z.number(), removed: z.number(), changed: z.number() }),
  differences: z.array(
    z.object({ kind: z.enum(['added', 'removed', 'changed']), name: z.string(), what: z.array(z.string()) }),
  ),
  unlisted: z.number(),
  troubles: z.array(z.string()),
})
const refusal = z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() })
const answer = z.object({ hosts: z.array(z.union([comparison, z.object({ error: refusal })])).length(1) })

// A thousand differences and as many troubles, of which each names a path.
const mostOfAnswer = 32 * 2 ** 20

interface There {
  readonly to: Target
  /** The hash of the netops that hosts get. */
  readonly own: string
  readonly signal: AbortSignal
}

async function compareThere(
  connection: HostConnection,
  id: string | undefined,
  { to: { root }, own, signal }: There,
): Promise<Comparison> {
  const brought = netopsOnHost(root, own)
  const netops = (await readerOf(connection).exists(brought)) ? brought : hostPaths(root).netopsLink
  const argv = [netops, 'backup', 'diff', ...(id === undefined ? [] : [id]), '--root', root, '--json']
  const { stdout, stderr, code } = await connection.run(argv, { signal, most: mostOfAnswer })
  // A login banner may stand before the document.
  const parsed = answer.safeParse(parseJson(stdout.trim().split('\n').at(-1) ?? ''))
  const [found] = parsed.success ? parsed.data.hosts : []
  if (found !== undefined && !('error' in found)) return found
  if (found !== undefined) throw new NetopsError(found.error.code, found.error)
  const reason = stderr.trim().split('\n').at(-1) ?? ''
  throw new NetopsError('failed', {
    message: `the host's netops compared nothing: ${reason === '' ? `it exited with ${code}` : reason}`,
    hint: 'netops backup brings this netops to the host',
  })
}
