// How people read what tuning found: tables, with a line below each setting for what is in the way of it.
import type { TuningItem, TuningReport } from '../../procedures/tune/report.ts'
import type { Drift } from '../../procedures/tune/verify.ts'
import { table } from './table.ts'

const titles = { kernel: 'kernel parameters', limit: 'limits of the service', server: 'threads and pools' } as const

/** Now -> wanted with the reason of each value, and what stands against it. */
export function plannedLines({ items }: TuningReport): readonly string[] {
  const rows = table(
    items.map((item) => [item.name, item.now ?? '-', '->', item.wanted, markOf(item)]),
    '    ',
  )
  return (['kernel', 'limit', 'server'] as const).flatMap((kind) => {
    const ofKind = items.flatMap((item, index) => (item.kind === kind ? [{ item, row: rows[index] ?? '' }] : []))
    if (ofKind.length === 0) return []
    return [
      `  ${titles[kind]}`,
      ...ofKind.flatMap(({ item, row }) => [
        row,
        `        ${item.reason}`,
        ...item.problems.map((problem) => `        PROBLEM: ${problem}`),
        ...item.notes.map((note) => `        note: ${note}`),
      ]),
    ]
  })
}

const markOf = (item: TuningItem): string =>
  item.problems.length > 0 ? 'PROBLEM' : item.inEffect ? 'in effect' : 'to be set'

/** What the host has, and who set it. */
export function shownLines({ items }: TuningReport): readonly string[] {
  const rows = table(
    items.map(({ name, now, from }) => [name, now ?? '-', from]),
    '    ',
  )
  return (['kernel', 'limit', 'server'] as const).flatMap((kind) => [
    `  ${titles[kind]}`,
    ...items.flatMap((item, index) =>
      item.kind === kind ? [rows[index] ?? '', ...item.notes.map((note) => `        note: ${note}`)] : [],
    ),
  ])
}

/** The settings that are not in effect, one a line with the reasons. */
export const problemLines = (items: readonly TuningItem[]): readonly string[] =>
  items
    .filter(({ inEffect, problems }) => !inEffect || problems.length > 0)
    .map(({ name, now, wanted, problems }) =>
      problems.length > 0
        ? `${name}: ${problems.join('; ')}`
        : `${name}: is ${now ?? 'not set'}, ${wanted} was asked for`,
    )

/** How a running service comes to have what it does not have yet. */
export const pendingLine = ({ pending }: TuningReport, restart: string): readonly string[] =>
  pending.length === 0
    ? []
    : [`the running service keeps its old ${pending.join(', ')} until its next start: ${restart}`]

/** What is different below a relocated root. */
export const relocatedLine = (root: string): readonly string[] =>
  root === '/'
    ? []
    : [`below ${root} only files are written: this machine's kernel is not touched and systemd not called`]

/** `    vm.swappiness: 60; expected 10`. */
export const driftLines = (drift: readonly Drift[]): readonly string[] =>
  drift.map(({ what, expected, found }) => `    ${what}: ${found}; expected ${expected}`)

/** What scripts are told of each setting. */
export const settingEntries = ({ items }: TuningReport) => items.map((item) => ({ ...item, now: item.now ?? null }))
