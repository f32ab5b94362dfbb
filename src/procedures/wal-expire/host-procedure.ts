// Removing what no base backup needs of an archived log, as a procedure of one host; and on a fleet.
import * as z from 'zod'
import { entryIds, entryPath, parseEntry } from '../../backups/catalogue.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { BackupEntry } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import { sequence } from '../../model/plan.ts'
import type { ArchiveRecord } from '../../postgres/archive-record.ts'
import { requestFields } from '../host-request.ts'
import { defineHostProcedure, fieldsOf, type FleetProcedure } from '../procedure.ts'
import { readArchiveRecord } from '../wal-archive/facts.ts'
import { expireWal, planWalExpiry, type WalExpiry } from './expiry.ts'

const request = z.strictObject({ procedure: z.literal('wal-expire'), ...requestFields })
type WalExpireRequest = z.output<typeof request>

interface WalExpireFacts extends Omit<WalExpiry, 'remove'> {
  readonly record: ArchiveRecord
  /** How many segments would be removed. */
  readonly count: number
}

async function readFacts(
  { root }: WalExpireRequest,
  { reader }: { readonly reader: HostReader },
): Promise<WalExpireFacts> {
  const record = await readArchiveRecord(reader, root)
  if (record === undefined) {
    throw new NetopsError('refused', {
      message: 'the log of no database is archived here',
      hint: 'netops db archive setup',
    })
  }
  const { catalogue } = hostPaths(root)
  const entries: BackupEntry[] = []
  for (const id of entryIds(await reader.list(catalogue))) {
    const path = entryPath(catalogue, id)
    const text = await reader.readText(path)
    // One that cannot be read could be the one that needs the oldest: it is not passed over.
    if (text !== undefined) entries.push(parseEntry(text, path, reader.name))
  }
  const { remove, ...expiry } = planWalExpiry(await reader.list(record.folder), record, entries)
  return { ...expiry, record, count: remove.length }
}

export const walExpire = defineHostProcedure<WalExpireRequest, WalExpireFacts>({
  name: 'wal-expire',
  title: 'Remove old segments of the log',
  request,
  leases: ['backup'],
  facts: readFacts,
  plan: ({ host }, { record: { folder, segmentBytes }, reason, oldest, count }) =>
    sequence(`Remove old segments of the log on ${host}`, [
      {
        kind: 'step',
        id: 'expire',
        host,
        title: count === 0 ? `Remove nothing: ${reason}` : `Remove ${count} old segments: ${reason}`,
        act:
          oldest === undefined || count === 0
            ? []
            : [{ kind: 'work', work: expireWal.name, input: { folder, segmentBytes, oldest } }],
        undo: [],
        ...(count === 0 ? { unchanged: true } : { commits: true }),
      },
    ]),
  reason: () => 'removing old segments of the log',
  result: (_, changed) => ({ text: changed ? 'old segments of the log removed' : 'nothing to do', data: {} }),
})

export const walExpireOnFleet: FleetProcedure<undefined, undefined> = {
  name: 'wal-expire',
  look: () => Promise.resolve(undefined),
  assign: (_, place) => ({ request: { procedure: 'wal-expire', ...fieldsOf(place) }, pushes: [] }),
}
