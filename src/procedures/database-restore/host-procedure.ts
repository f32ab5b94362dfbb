// Restoring a database on a host: a base backup into a cluster of its own, and the log after it.
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { entryIds, entryPath, newestFirst, parseEntry } from '../../backups/catalogue.ts'
import { manifestFile, parseManifest, type ArchivePlace } from '../../archive/manifest.ts'
import type { BackupEntry } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import { sequence, type Group } from '../../model/plan.ts'
import { quoteCommand } from '../../model/quote.ts'
import { restoreCluster } from '../../postgres/restore.ts'
import {
  readRestoreFacts,
  restoreTarget,
  type Looking,
  type RestoreFacts,
  type RestoreTarget,
} from '../../postgres/restore-facts.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readArchiveRecord } from '../wal-archive/facts.ts'
import { defineWork } from '../work.ts'
import { databaseRestoreRequest, type DatabaseRestoreRequest } from './request.ts'

interface DatabaseRestoreFacts extends RestoreFacts {
  readonly place: ArchivePlace
  readonly wal: string | undefined
}

export const databaseRestore = defineHostProcedure<DatabaseRestoreRequest, DatabaseRestoreFacts>({
  name: 'database-restore',
  title: 'Restore the database',
  request: databaseRestoreRequest,
  leases: ['backup'],
  facts: readFacts,
  plan: planRestore,
  reason: () => 'restoring a database',
  result: ({ into }, changed) => ({ text: changed ? `restored into ${into}` : 'nothing was restored', data: {} }),
})

async function readFacts(
  request: DatabaseRestoreRequest,
  { reader }: { readonly reader: HostReader },
): Promise<DatabaseRestoreFacts> {
  const { root, into, port, account, target } = request
  const record = await readArchiveRecord(reader, root)
  const place = await placeOf(reader, hostPaths(root).catalogue, request)
  const wal = request.wal ?? record?.folder
  const looking: Looking = {
    run: (argv, options) => reader.query(argv, options),
    readText: (path) => reader.readText(path),
    list: (path) => reader.list(path),
    host: reader.name,
  }
  const found = await readRestoreFacts(looking, { place, wal, into, port, account, bin: request.bin, target })
  return { ...found, place, wal }
}

/** The base backup that is named, or the newest that was whole before the time that is wanted. */
async function placeOf(
  reader: HostReader,
  catalogue: string,
  { backup, target }: DatabaseRestoreRequest,
): Promise<ArchivePlace> {
  const ids = entryIds(await reader.list(catalogue)).filter((id) => backup === undefined || id === backup)
  const entries: BackupEntry[] = []
  for (const id of ids) {
    const path = entryPath(catalogue, id)
    const text = await reader.readText(path)
    if (text !== undefined) entries.push(parseEntry(text, path, reader.name))
  }
  const databases = newestFirst(
    entries.filter(({ kind, damage }) => kind === 'database' && (damage === null || backup !== undefined)),
  )
  for (const { folder, id } of databases) {
    if (
      backup !== undefined ||
      target.kind === 'latest' ||
      (await isEarlyEnough(reader, { folder, name: id }, target))
    ) {
      return { folder, name: id }
    }
  }
  const [oldest] = databases.toReversed()
  throw new NetopsError('refused', {
    host: reader.name,
    message:
      backup !== undefined
        ? `there is no base backup ${backup}; nothing was written`
        : oldest === undefined
          ? 'there is no base backup of a database; nothing was written'
          : `the oldest base backup, ${oldest.id}, was made after the time that is wanted; nothing was written`,
    hint: oldest === undefined ? 'make one: netops backup --only database' : 'see which there are: netops backup list',
  })
}

async function isEarlyEnough(
  reader: HostReader,
  { folder, name }: ArchivePlace,
  target: Extract<RestoreTarget, { kind: 'time' }>,
): Promise<boolean> {
  const path = `${folder}/${manifestFile(name)}`
  const text = await reader.readText(path)
  if (text === undefined) return false
  const { cluster } = parseManifest(Buffer.from(text, 'utf8').toString('latin1'), path, name)
  return cluster !== undefined && Date.parse(cluster.consistentAt) <= Date.parse(target.at)
}

/** Pure. */
function planRestore(request: DatabaseRestoreRequest, facts: DatabaseRestoreFacts): Group {
  const { host, into, port, account, target, promote, withinMs } = request
  const { place, wal, bin, segments, reach } = facts
  const upTo = target.kind === 'time' ? target.at : (reach.before ?? reach.from)
  return sequence(`Restore a database on ${host}`, [
    {
      kind: 'step',
      id: 'restore',
      host,
      title: `Restore ${place.name} into ${into}, and replay ${segments} segments of the log up to ${upTo}`,
      act: [
        {
          kind: 'work',
          work: restoringDatabase.name,
          input: {
            ...{ folder: place.folder, name: place.name, into, port, account, bin, target, promote, withinMs },
            ...(wal === undefined ? {} : { wal }),
          },
        },
      ],
      // A server may be at work there by then.
      undo: [],
      commits: true,
    },
  ])
}

const isText = z.string()

export const restoringDatabase = defineWork({
  name: 'database-restore',
  input: z.strictObject({
    ...{ folder: isText, name: isText, into: isText, account: isText, bin: isText },
    ...{ port: z.int(), promote: z.boolean(), withinMs: z.int() },
    wal: isText.exactOptional(),
    target: restoreTarget,
  }),
  changes: true,
  show: ({ folder, name, into, account, bin, port, target }) => [
    `# as ${account}: ${quoteCommand(['mkdir', '-m', '0700', into])}; the tar in ${folder}/${name}.* is unpacked there, and verified`,
    quoteCommand([`${bin}/pg_verifybackup`, '--no-parse-wal', into]),
    `# restore_command, recovery_target_time = ${target.kind === 'time' ? target.at : 'none'}, recovery.signal, port = ${port}`,
    quoteCommand([`${bin}/pg_ctl`, '-D', into, 'start']),
  ],
  async run({ folder, name, wal, ...request }, { signal, progress }) {
    const restored = await restoreCluster(
      { ...request, place: { folder, name }, wal },
      {
        signal,
        onProgress: (done) => {
          if (done.phase === 'reading') progress(done.bytes, done.of)
        },
      },
    )
    const { lastTransactionAt = null, stoppedBefore = null, ...others } = restored
    return { ...others, lastTransactionAt, stoppedBefore }
  },
})
