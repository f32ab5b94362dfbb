// Chooses what a rollback goes back to.
import type { ActivationRecord } from './request.ts'
import { NetopsError } from '../../model/errors.ts'

/**
 * The activation that a rollback on one host brings back, with its release and its configuration.
 * @param activations what was in service, oldest first
 * @param to a release id, a version or an activation id; without it, what was in service before the current one
 * @throws NetopsError `refused` when there is nothing to go back to
 */
export function chooseRollback(
  host: string,
  activations: readonly ActivationRecord[],
  to: string | undefined,
): ActivationRecord {
  const current = activations.at(-1)
  const wanted =
    to === undefined
      ? activations.find((entry) => entry.id === current?.previous)
      : activations.findLast((entry) => [entry.id, entry.release.id, entry.release.version].includes(to))
  if (wanted !== undefined) return wanted
  const others = activations.map((entry) => entry.release.id).filter((id) => id !== current?.release.id)
  const known = [...new Set(others)].join(', ')
  throw new NetopsError('refused', {
    host,
    message:
      to === undefined
        ? 'there is no earlier release to go back to'
        : `${to} was never in service here, or is no longer kept`,
    hint:
      known === ''
        ? 'deploy another release: netops deploy --release FILE'
        : `kept here: ${known}; choose one with --to`,
  })
}
