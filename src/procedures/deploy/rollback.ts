// Chooses what a rollback goes back to.
import type { ActivationRecord } from './request.ts'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { inService, type History, type InPlace } from './history.ts'

/** What a host has to go back to. */
export interface Kept {
  /** What was in service, oldest first. */
  readonly activations: readonly ActivationRecord[]
  /** The releases that are on the host: a record may outlive its release. */
  readonly releases: readonly string[]
}

/**
 * The activation that a rollback on one host brings back, with its release and its configuration.
 * @param to a release id, a version or an activation id; without it, what was in service before the current one
 * @throws NetopsError `refused` when there is nothing to go back to, with what there is
 */
export function chooseRollback(host: string, kept: Kept, to: string | undefined): ActivationRecord {
  const { activations, releases } = kept
  const current = activations.at(-1)
  const wanted =
    to === undefined
      ? activations.find((entry) => entry.id === current?.previous)
      : activations.findLast((entry) => [entry.id, entry.release.id, entry.release.version].includes(to))
  if (wanted !== undefined && releases.includes(wanted.release.id)) return wanted
  const known = namesOf(kept, current?.release.id).join(', ')
  const missing =
    wanted === undefined
      ? to === undefined
        ? 'there is no earlier release to go back to'
        : `${to} was never in service here, or is no longer kept`
      : `release ${wanted.release.id} is not on the host any more`
  throw new NetopsError('refused', {
    host,
    message: missing,
    hint:
      known === ''
        ? `deploy ${wanted === undefined ? 'another release' : 'it again'}: netops deploy --release FILE`
        : `kept here: ${known}; choose one with --to`,
  })
}

/** The releases that a host keeps, with a record of each, beside the one in service. */
const namesOf = ({ activations, releases }: Kept, inServiceNow: string | undefined): readonly string[] =>
  [...new Set(activations.map(({ release }) => release.id))].filter(
    (id) => id !== inServiceNow && releases.includes(id),
  )

/**
 * Refuses to go back where the record that says what came before cannot be read.
 * @throws NetopsError `damaged`, with what can be gone back to by name
 */
export function refuseUnread(host: string, history: History, place: InPlace, releases: readonly string[]): void {
  const [unread] = history.unread
  if (unread === undefined) return
  const { activations } = history
  const current = inService(history, place)
  const previous = current?.previous
  if (current !== undefined && (previous === undefined || activations.some(({ id }) => id === previous))) return
  const kept = namesOf({ activations, releases }, place.current)
  throw new NetopsError('damaged', {
    host,
    message: `what was in service before cannot be told: ${unread.message}`,
    hint:
      kept.length === 0
        ? `deploy a release: netops deploy --release FILE; then ${unread.hint ?? 'put the damaged record aside'}`
        : `choose what to go back to: ${quoteCommand(['netops', 'rollback', '--to', kept.at(-1) ?? ''])}${kept.length === 1 ? '' : ` (kept here: ${kept.join(', ')})`}`,
  })
}
