// Archiving the log of a host's database as a procedure of that host, and ending it.
import { readTemplate } from '../../system/assets.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readWalArchiveFacts, type WalArchiveFacts } from './facts.ts'
import { planWalArchive } from './plan.ts'
import { walArchiveRequest, type WalArchiveRequest } from './request.ts'

export const walArchive = defineHostProcedure<WalArchiveRequest, WalArchiveFacts>({
  name: 'wal-archive',
  title: 'Archive the log of the database',
  request: walArchiveRequest,
  leases: ['backup'],
  facts: (request, { reader, services }) => readWalArchiveFacts(reader, services, request),
  plan: (request, facts) => planWalArchive(request, facts, readTemplate('network_wal_archive.service')),
  reason: ({ action }) =>
    action === 'set-up' ? 'setting up the archive of the log' : 'taking down the archive of the log',
  result({ action }, changed) {
    const done = action === 'set-up' ? 'the log of the database is archived' : 'the log is archived no more'
    return { text: changed ? done : 'nothing to do', data: {} }
  },
})
