// Backing up as a procedure of one host.
import * as z from 'zod'
import { below } from '../../model/paths.ts'
import { formatBytes } from '../../model/units.ts'
import { defineHostProcedure, type HostEnd } from '../procedure.ts'
import { readBackupFacts, type BackupFacts } from './facts.ts'
import { planBackup } from './plan.ts'
import { backupRequest, type BackupRequest } from './request.ts'

export const backup = defineHostProcedure<BackupRequest, BackupFacts>({
  name: 'backup',
  title: 'Back up the host',
  request: backupRequest,
  leases: ['backup'],
  facts: (request, { reader }) => readBackupFacts(reader, request),
  plan: planBackup,
  demands: ({ root, to }) => [{ path: below(root, to), as: 'folder', bytes: 0 }],
  reason: () => 'backing up',
  result: (_request, _changed, end) => ({ text: madeText(end), data: {} }),
})

const archived = z.object({
  id: z.string(),
  bytes: z.number(),
  rawBytes: z.number(),
  entries: z.number(),
  sameAs: z.string().nullable(),
})
const expired = z.object({ removed: z.array(z.string()) })

/** `config_… 12.3 MB of 45.0 MB, 230 entries, read back; 2 removed`, and the same of a base backup. */
function madeText({ results }: HostEnd): string {
  const made = [results.database, results.archive].flatMap((result) => archived.safeParse(result).data ?? [])
  if (made.length === 0) return 'backed up'
  const gone = [results['database-expire'], results.expire].reduce<number>(
    (sum, result) => sum + (expired.safeParse(result).data?.removed.length ?? 0),
    0,
  )
  const each = made.map(({ id, bytes, rawBytes, entries, sameAs }) => {
    const size = sameAs === null ? `${formatBytes(bytes)} of ${formatBytes(rawBytes)}` : `unchanged since ${sameAs}`
    return `${id}: ${size}, ${entries} entries, read back`
  })
  return `${each.join('; ')}${gone === 0 ? '' : `; ${gone} expired`}`
}
