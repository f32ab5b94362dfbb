// Copying backups elsewhere as a procedure of one host: which, by the catalogue.
import { hasCopy } from '../../backups/offsite/copy.ts'
import { spoolsIn } from '../../backups/offsite/spool.ts'
import { isGood, type BackupEntry } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { below, hostPaths } from '../../model/paths.ts'
import { sequence, type Group } from '../../model/plan.ts'
import { stepOf } from '../backup/plan.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readCatalogue } from '../read-catalogue.ts'
import { copying } from './copy.ts'
import { copyRequest, type CopyHostRequest } from './request.ts'

interface CopyFacts {
  readonly entries: readonly Pick<BackupEntry, 'id' | 'verified' | 'damage' | 'copies'>[]
  /** Those that were begun before. */
  readonly begun: readonly string[]
}

export const backupCopy = defineHostProcedure<CopyHostRequest, CopyFacts>({
  name: 'backup-copy',
  title: 'Copy backups elsewhere',
  request: copyRequest,
  leases: ['backup'],
  async facts({ root, to }, { reader }) {
    const [{ entries }, begun] = await Promise.all([
      readCatalogue(reader, hostPaths(root).catalogue),
      reader.list(spoolsIn(below(root, to))),
    ])
    return { entries: entries.map(({ id, verified, damage, copies }) => ({ id, verified, damage, copies })), begun }
  },
  plan: planCopy,
  reason: () => 'copying backups',
  result: (_request, _changed, { results }) => {
    const { copied = [] } = (results.copy ?? {}) as { readonly copied?: readonly { readonly id: string }[] }
    const text = copied.length === 0 ? 'nothing to copy' : `copied ${copied.map(({ id }) => id).join(', ')}`
    return { text, data: {} }
  },
})

/** @throws NetopsError `usage` where one that is named is not there */
export function planCopy({ root, host, which, to, offsite }: CopyHostRequest, { entries, begun }: CopyFacts): Group {
  const isMissing = (entry: CopyFacts['entries'][number]): boolean =>
    isGood(entry) && !offsite.places.every((place) => hasCopy(entry, place))
  const ids = which === 'missing' ? entries.filter(isMissing).map(({ id }) => id) : which
  const unknown = ids.filter((id) => !entries.some((entry) => entry.id === id))
  if (unknown.length > 0) {
    throw new NetopsError('usage', {
      host,
      message: `there is no backup ${unknown.join(', ')}`,
      hint: 'see which there are: netops backup list',
    })
  }
  const what = ids.length === 1 ? (ids[0] ?? '') : `${ids.length} backups`
  const work = copying({ root, catalogue: hostPaths(root).catalogue, folder: below(root, to), ids: [...ids], offsite })
  const step = stepOf(host, 'copy', `Copy ${what} to ${offsite.places.join(', ')}`, work)
  return sequence(`Copy backups of ${host}`, [
    ids.length + begun.length === 0 ? { ...step, act: [], unchanged: true } : step,
  ])
}
