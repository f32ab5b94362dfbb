// What an activation leaves behind for rollbacks and what it takes away. Only what a record of ours names is ours to take away.
import { join } from 'node:path'
import type { Effect } from '../../model/effects.ts'
import type { HostPaths } from '../../model/paths.ts'
import { leftAlone } from '../left-alone.ts'
import type { ActivationFacts } from './facts.ts'
import type { ActivationRequest } from './request.ts'

export interface Tidying {
  readonly title: string
  readonly act: readonly Effect[]
}

/** Keeps the newest releases and whatever a rollback may need. Pure. */
export function planTidying(
  { release, keepReleases }: ActivationRequest,
  { activations, releases }: Pick<ActivationFacts, 'activations' | 'releases'>,
  { releases: folder, history }: HostPaths,
): Tidying {
  const recent = [release.id, ...activations.map((entry) => entry.release.id).toReversed()]
  const named = new Set(recent)
  const keep = new Set([...named].slice(0, keepReleases))
  const stale = releases.filter((id) => named.has(id) && !keep.has(id))
  const forgotten = activations.filter((entry) => !keep.has(entry.release.id))
  return {
    title: `Remove what is no longer needed${leftAlone(releases.filter((id) => !named.has(id)))}`,
    act: [
      ...stale.map((id): Effect => ({ kind: 'remove-tree', path: join(folder, id) })),
      // After what they name: a crash in between must not leave anything that nobody knows.
      ...forgotten.map((entry): Effect => ({ kind: 'remove-tree', path: join(history, entry.id) })),
    ],
  }
}
