// The files that tuning replaces, kept whole beside its record: the record knows their texts, a copy also ACLs and attributes.
import { join } from 'node:path'
import type { Effect } from '../../model/effects.ts'
import type { HostPaths } from '../../model/paths.ts'
import type { FileState, TuningRecord } from '../../model/tuning.ts'

const keptFolder = ({ state }: HostPaths): string => join(state, 'tuning-originals')

/** What the record says of a file that is to be replaced: with the place of its copy, where there is anything to copy. */
export function originalOf(paths: HostPaths, path: string, now: FileState): FileState {
  if (now.kind !== 'file' && now.kind !== 'link') return now
  const name = path.slice(paths.root.length).replace(/^\//, '').replaceAll('/', '_')
  return { ...now, kept: join(keptFolder(paths), name) }
}

interface Keeping {
  readonly act: readonly Effect[]
  readonly undo: readonly Effect[]
}

const keptBy = (record: TuningRecord | undefined): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(record?.originals.files ?? {}).flatMap(([path, state]) =>
      'kept' in state ? [[path, state.kept] as const] : [],
    ),
  )

const copies = (paths: HostPaths, kept: readonly (readonly [string, string])[]): readonly Effect[] =>
  kept.length === 0
    ? []
    : [
        { kind: 'directory', path: keptFolder(paths), mode: '0700' },
        ...kept.map(([from, path]): Effect => ({ kind: 'duplicate', from, path })),
      ]

/** The files that one record keeps and the other does not. */
export const newlyKept = (known: TuningRecord | undefined, wanted: TuningRecord | undefined) =>
  [...keptBy(wanted)].filter(([path]) => !keptBy(known).has(path))

/** What is done about the copies before anything is replaced. */
export function keepOriginals(
  paths: HostPaths,
  known: TuningRecord | undefined,
  wanted: TuningRecord | undefined,
): Keeping {
  const fresh = newlyKept(known, wanted)
  if (fresh.length === 0) return { act: [], undo: [] }
  return {
    act: copies(paths, fresh),
    undo: [
      ...fresh.map(([, path]): Effect => ({ kind: 'remove-tree', path })),
      { kind: 'remove-empty', path: keptFolder(paths) },
    ],
  }
}

/** What is done about them once everything is put back. */
export const forgetOriginals = (paths: HostPaths, known: TuningRecord | undefined): Keeping => ({
  act: [{ kind: 'remove-tree', path: keptFolder(paths) }],
  undo: copies(paths, [...keptBy(known)]),
})
