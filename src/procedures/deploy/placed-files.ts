// The files that an activation places: what is put aside before, what is placed, and what an undo puts back.
import { dirname } from 'node:path'
import type { ActivationRequest } from './request.ts'
import type { Effect } from '../../model/effects.ts'
import type { ActivationFacts } from './facts.ts'
import type { Kept } from './kept.ts'

export interface FilePlacement {
  readonly count: number
  /** Copies of what is replaced. */
  readonly putAside: readonly Effect[]
  readonly place: readonly Effect[]
  readonly putBack: readonly Effect[]
}

/** How the files of a request get to their places. No content and no hash is part of it. */
export function planFiles(
  input: ActivationRequest,
  { missingFolders }: Pick<ActivationFacts, 'missingFolders'>,
  kept: Kept,
): FilePlacement {
  const files = (input.files ?? []).map((file, index) => ({ ...file, aside: `file-${index}` }))
  const missing = new Set(missingFolders)
  const folders = [...new Set(files.map(({ to }) => dirname(to)))].filter((path) => missing.has(path))
  // Below a relocated root everything belongs to whoever runs netops.
  const of = (owner: string) => (input.manager === 'systemd' ? { owner } : {})
  return {
    count: files.length,
    putAside: files.flatMap(({ to, aside }) => kept.aside(to, aside)),
    place: [
      ...folders.map((path): Effect => ({ kind: 'directory', path, mode: '0755', ...of('root') })),
      ...files.map(({ from, to, mode, owner }): Effect => ({ kind: 'copy', from, path: to, mode, ...of(owner) })),
    ],
    putBack: [
      ...files.map(({ to, aside }) => kept.back(to, aside)),
      ...folders.toReversed().map((path): Effect => ({ kind: 'remove-empty', path })),
    ],
  }
}
