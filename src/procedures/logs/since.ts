// A moment as people say it: how long ago, or when.
import { NetopsError } from '../../model/errors.ts'
import { duration } from '../../model/units.ts'

/**
 * `10m` ago, or a moment; without a zone it is this machine's.
 * @returns ms since 1970
 * @throws NetopsError `usage` for anything else
 */
export function parseSince(text: string, now: Date): number {
  const ago = duration.safeParse(text)
  if (ago.success) return now.getTime() - ago.data
  // A day alone would be read as UTC, and with a time as here: here in both cases.
  const at = /^\d{4}-/.test(text) ? Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text) : Number.NaN
  if (!Number.isNaN(at)) return at
  throw new NetopsError('usage', {
    message: `--since: '${text}' is no time`,
    hint: 'give how long ago (10m, 2h, 1d) or a moment (2026-11-23, 2026-11-23T10:00, 2026-11-23T09:00:00Z)',
  })
}
