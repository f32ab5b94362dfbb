// A base backup of the database as work of its host, entered in the catalogue like every other backup.
import * as z from 'zod'
import { archiveFile } from '../../archive/manifest.ts'
import { addBackup, listBackups } from '../../backups/catalogue.ts'
import { entryFor, nothingBeside } from '../../backups/entry.ts'
import { settleBackups } from '../../backups/settle.ts'
import { backupId, type BackupEntry } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { hostPaths } from '../../model/paths.ts'
import { putAside } from '../../model/state-text.ts'
import { archiveRecord } from '../../postgres/archive-record.ts'
import type { Asking } from '../../postgres/ask.ts'
import { makeBaseBackup, readBaseBackupFacts } from '../../postgres/base-backup.ts'
import { configuredLogin } from '../../postgres/config-login.ts'
import { passfileText } from '../../postgres/login.ts'
import { findTools, type PostgresTools } from '../../postgres/tools.ts'
import { exec } from '../../system/exec.ts'
import { makeFolder, readTextIfAny, writeFileAtomic } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { readState } from '../../system/state-file.ts'
import { explainedWrite, refuseWithoutRoom, RoomWatch } from '../backup/room.ts'
import { defineWork, type WorkTools } from '../work.ts'

const input = z.strictObject({
  root: z.string(),
  /** The folder for archives: absolute on the host. */
  folder: z.string().startsWith('/'),
  id: backupId,
  compression: z.enum(['gzip', 'zstd']),
  /** The release in service; null where none is. */
  release: z.string().nullable(),
})
type BaseBackupInput = z.output<typeof input>

const programs = ['pg_basebackup', 'psql']

export const baseBackup = defineWork({
  name: 'base-backup',
  input,
  changes: true,
  show: ({ folder, id, compression }) => [
    `pg_basebackup --pgdata=- --format=tar --wal-method=fetch --checkpoint=fast --label=netops_${id} > ${folder}/${archiveFile(id, compression)}`,
  ],
  async run(wanted, tools) {
    const { root, folder, id } = wanted
    const { catalogue } = hostPaths(root)
    try {
      await settleBackups(catalogue, folder)
      const { entries } = await listBackups(catalogue)
      // It was made by a process that could not say so.
      const entry = entries.find((one) => one.id === id) ?? (await make(wanted, entries, tools))
      tools.done(id)
      const { bytes, rawBytes, seconds, cluster } = entry
      return { id, folder, bytes, rawBytes, entries: entry.entries, seconds, sameAs: null, cluster }
    } catch (error) {
      throw explainedWrite(error, folder)
    }
  },
})

/** The effect that makes one. */
export const makingBaseBackup = (wanted: BaseBackupInput): WorkEffect => ({
  kind: 'work',
  work: baseBackup.name,
  input: wanted,
})

// Without a base backup to go by: tables come to a third, or less.
const usualRatio = 0.5

async function make(
  { root, folder, id, compression, release }: BaseBackupInput,
  entries: readonly BackupEntry[],
  tools: WorkTools,
): Promise<BackupEntry> {
  const { catalogue, state } = hostPaths(root)
  await makeFolder(folder, 0o700)
  await refuseDistrustedHere([folder, state])
  const { asking, tools: own } = await loginOf(root)
  const last = entries.find(({ kind }) => kind === 'database')
  const { bytes } = await readBaseBackupFacts(asking, own.major)
  await refuseWithoutRoom(folder, bytes * (last === undefined ? usualRatio : last.bytes / last.rawBytes))
  const watch = new RoomWatch(folder)
  try {
    const manifest = await makeBaseBackup(
      asking,
      { place: { folder, name: id }, compression, log: 'in it' },
      {
        signal: AbortSignal.any([tools.signal, watch.signal]),
        toolsMajor: own.major,
        onProgress: (made) => {
          if (made.phase !== 'looking') tools.progress(made.bytes, made.of, 'bytes')
          watch.look()
        },
      },
    )
    const entry = await entryFor({ folder, manifest }, { ...nothingBeside, release })
    await addBackup(catalogue, entry)
    return entry
  } catch (error) {
    throw watch.signal.aborted && !tools.signal.aborted ? watch.signal.reason : error
  }
}

interface OwnLogin {
  readonly asking: Asking
  readonly tools: PostgresTools
}

/** As the archive of the log logs in, where there is one; else as the configuration says, with a password file for it. */
async function loginOf(root: string): Promise<OwnLogin> {
  const { walArchive, walPassfile } = hostPaths(root)
  const record = await readState(archiveRecord, { path: walArchive, hint: putAside(walArchive) })
  if (record !== undefined) {
    const tools = await findTools(exec, programs, { given: record.bin })
    return { tools, asking: askingOf(tools, record.login, walPassfile) }
  }
  const tools = await findTools(exec, programs)
  const { login, password } = await configuredLogin(readTextIfAny, root)
  await writeFileAtomic(walPassfile, passfileText(login, password ?? ''), 0o600)
  return { tools, asking: askingOf(tools, login, walPassfile) }
}

const askingOf = ({ bin }: PostgresTools, login: Asking['login'], passfile: string): Asking => ({
  ...{ run: exec, bin, login, host: 'local', password: { passfile } },
})
