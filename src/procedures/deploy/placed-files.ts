// The files that an activation places: what is put aside before, what is placed, and what an undo puts back.
import { dirname, join } from 'node:path'
import type { ActivationRequest } from './request.ts'
import type { Effect } from '../../model/effects.ts'
import type { ActivationFacts } from './facts.ts'

export interface FilePlacement {
  readonly count: number
  /**
   * Copies of what is replaced. They belong into a step before the one that places: repeated after a kill, that one must
   * not put aside what it has placed itself.
   */
  readonly putAside: readonly Effect[]
  readonly place: readonly Effect[]
  readonly putBack: readonly Effect[]
}

/**
 * How the files of a request get to their places. No content and no hash is part of it.
 * @param saved the folder in which what is replaced is kept until the run is over
 */
export function planFiles(input: ActivationRequest, facts: ActivationFacts, saved: string): FilePlacement {
  const files = (input.files ?? []).map((file, index) => ({
    ...file,
    before: facts.placed[file.to] ?? undefined,
    aside: join(saved, `file-${index}`),
  }))
  const missing = new Set(facts.missingFolders)
  const folders = [...new Set(files.map(({ to }) => dirname(to)))].filter((path) => missing.has(path))
  // Below a relocated root everything belongs to whoever runs netops.
  const of = (owner: string) => (input.manager === 'systemd' ? { owner } : {})
  return {
    count: files.length,
    putAside: files.flatMap(({ to, before, aside }): readonly Effect[] =>
      before === undefined ? [] : [{ kind: 'copy', from: to, path: aside, mode: '0600' }],
    ),
    place: [
      ...folders.map((path): Effect => ({ kind: 'directory', path, mode: '0755', ...of('root') })),
      ...files.map(({ from, to, mode, owner }): Effect => ({ kind: 'copy', from, path: to, mode, ...of(owner) })),
    ],
    putBack: [
      ...files.map(({ to, before, aside }): Effect =>
        before === undefined
          ? { kind: 'remove', path: to }
          : { kind: 'copy', from: aside, path: to, mode: before.mode, ...of(before.owner) },
      ),
      ...folders.toReversed().map((path): Effect => ({ kind: 'remove-empty', path })),
    ],
  }
}
