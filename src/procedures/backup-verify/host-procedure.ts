// Verifying backups as a procedure of one host: which, by the catalogue.
import type { Catalogue } from '../../backups/catalogue.ts'
import { NetopsError } from '../../model/errors.ts'
import { below, hostPaths } from '../../model/paths.ts'
import { sequence, type Group } from '../../model/plan.ts'
import { stepOf } from '../backup/plan.ts'
import { verifying } from '../backup/verify.ts'
import { readClock } from '../gc/clean-up.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readCatalogue } from '../read-catalogue.ts'
import { judging } from './judge.ts'
import { verifyRequest, type VerifyRequest } from './request.ts'

interface VerifyFacts {
  /** The host's clock, in ms since 1970. */
  readonly now: number
  readonly ids: readonly string[]
  /** The newest of each kind. */
  readonly newest: readonly string[]
  /** Entries that cannot be read. */
  readonly damaged: number
}

export const backupVerify = defineHostProcedure<VerifyRequest, VerifyFacts>({
  name: 'backup-verify',
  title: 'Read backups back',
  request: verifyRequest,
  leases: ['backup'],
  async facts({ root, lookedAt }, { reader }) {
    const [now, catalogue] = await Promise.all([
      lookedAt ?? readClock(reader),
      readCatalogue(reader, hostPaths(root).catalogue),
    ])
    const { entries, damaged } = catalogue
    return { now, ids: entries.map(({ id }) => id), newest: newestOf(entries), damaged: damaged.length }
  },
  plan: planVerification,
  reason: () => 'reading backups back',
  result: (_request, _changed, { results }) => {
    const { verified } = (results.verify ?? {}) as { readonly verified?: readonly unknown[] }
    const count = verified?.length ?? 0
    return { text: `${count} ${count === 1 ? 'backup is' : 'backups are'} whole`, data: {} }
  },
})

const newestOf = (entries: Catalogue['entries']): readonly string[] =>
  [...Map.groupBy(entries, ({ kind }) => kind).values()].flatMap(([newest]) => newest?.id ?? [])

/** @throws NetopsError `usage` where one that is named is not there, `failed` where there is none at all */
export function planVerification({ root, host, which, share, textfile }: VerifyRequest, facts: VerifyFacts): Group {
  const ids = which === 'all' ? facts.ids : which === 'newest' ? facts.newest : which
  const missing = ids.filter((id) => !facts.ids.includes(id))
  if (missing.length > 0) {
    throw new NetopsError('usage', {
      host,
      message: `there is no backup ${missing.join(', ')}`,
      hint: 'see which there are: netops backup list',
    })
  }
  if (ids.length === 0 && facts.damaged === 0) {
    throw new NetopsError('failed', { host, message: 'there is no backup to verify', hint: 'make one: netops backup' })
  }
  const { catalogue } = hostPaths(root)
  // Another part each time, and the same on both sides of a run.
  const sample = share === 1 ? {} : { sample: { share, seed: Math.floor(facts.now) % 2 ** 31 } }
  const what = ids.length === 1 ? (ids[0] ?? '') : `${ids.length} backups`
  return sequence(`Verify backups on ${host}`, [
    stepOf(host, 'verify', `Read ${what} back`, verifying({ catalogue, ids: [...ids], ...sample })),
    stepOf(
      host,
      'judge',
      'See what was found',
      judging({
        ...{ catalogue, ids: [...ids], textfile: textfile === undefined ? null : below(root, textfile) },
        ...(Array.isArray(which) ? {} : { whole: 'catalogue too' as const }),
      }),
    ),
  ])
}
