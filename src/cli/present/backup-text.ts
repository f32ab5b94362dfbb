// Backups of hosts for people and scripts.
import { restoreCommand } from '../../archive/manifest.ts'
import { bytesOnDisk, type Catalogue } from '../../backups/catalogue.ts'
import type { Comparison } from '../../backups/compare.ts'
import type { Verdict } from '../../backups/expiry.ts'
import { formatAge, type BackupStanding, type Point } from '../../backups/standing.ts'
import type { ShownBackup } from '../../fleet/backups.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import type { BackupEntry } from '../../model/backup.ts'
import { joinOutcomes } from '../../model/errors.ts'
import { shownText } from '../../model/escape.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import type { CommandResult } from '../command.ts'
import { below, errorField, errorLines, outcomeOfAnswers } from './errors.ts'
import { counted, table } from './table.ts'

/** A host that could not be asked; nothing else is known of it. */
const failed = ({ host, error }: HostAnswer<unknown>): readonly string[] =>
  error === undefined ? [] : errorLines(host, error)

/** All backups of each host. */
export function listResult(answers: readonly HostAnswer<Catalogue>[]): CommandResult {
  const unreadable = answers.flatMap(({ value }) => value?.damaged ?? [])
  const outcome = outcomeOfAnswers(answers)
  return {
    outcome: outcome === 'done' && unreadable.length > 0 ? 'damaged' : outcome,
    data: {
      hosts: answers.map(({ host, value, error }) => ({
        host,
        ...(value === undefined
          ? {}
          : { backups: value.entries, unreadable: value.damaged.map(({ message }) => message) }),
        ...errorField(error),
      })),
    },
    text: answers.flatMap(listLines).join('\n'),
  }
}

function listLines(answer: HostAnswer<Catalogue>): readonly string[] {
  const { host, value } = answer
  if (value === undefined) return failed(answer)
  const { entries, damaged } = value
  const rows = entries.map((entry) => [
    entry.id,
    entry.sameAs === null ? formatBytes(entry.bytes) : '(same)',
    `${entry.entries} entries`,
    `${proofText(entry)}${entry.copies.length === 0 ? '' : `, copied to ${counted(entry.copies.length, 'place')}`}`,
    shownText(entry.release ?? ''),
  ])
  return [
    `${host}: ${counted(entries.length, 'backup')}, ${formatBytes(bytesOnDisk(entries))}`,
    ...table(rows, '  '),
    ...damaged.flatMap(({ message, hint }) => [
      `  ${below(shownText(message))}`,
      ...(hint === undefined ? [] : [`    hint: ${below(hint)}`]),
    ]),
  ]
}

/** How much a backup can be relied on, in few words. */
function proofText({ verified, damage, troubles }: BackupEntry): string {
  const lacks = Object.values(troubles).reduce((sum, count) => sum + count, 0)
  const but = lacks === 0 ? '' : `, ${lacks} not as it should be`
  if (damage !== null) return `DAMAGED${but}`
  if (verified === null) return `not verified${but}`
  const share = verified.share === 1 ? '' : ` (${Math.round(verified.share * 100)}% of it)`
  return `${verified.how === 'restorable' ? 'restored' : 'read back'} ${verified.at.slice(0, 16)}Z${share}${but}`
}

/** One backup of each host. */
export const showResult = (answers: readonly HostAnswer<ShownBackup>[]): CommandResult => ({
  outcome: outcomeOfAnswers(answers),
  data: {
    hosts: answers.map(({ host, value, error }) => ({
      host,
      ...(value === undefined ? {} : { backup: value.entry, restore: restoreOf(value), troubles: value.troubles }),
      ...errorField(error),
    })),
  },
  text: answers.flatMap(showLines).join('\n'),
})

const restoreOf = ({ entry: { folder, file, compression }, root }: ShownBackup): string =>
  restoreCommand(`${folder}/${file}`, root, compression)

const mostTroubles = 20

function showLines(answer: HostAnswer<ShownBackup>): readonly string[] {
  const { host, value } = answer
  if (value === undefined) return failed(answer)
  const { entry, troubles } = value
  const rows: readonly (readonly [string, string])[] = [
    ['made', `${entry.madeAt}, in ${formatDuration(entry.seconds * 1000)}`],
    ['archive', `${entry.folder}/${entry.file}`],
    ['size', `${formatBytes(entry.bytes)} of ${formatBytes(entry.rawBytes)}, ${entry.entries} entries`],
    ...(entry.sameAs === null ? [] : [['same as', entry.sameAs] as const]),
    ['release', shownText(entry.release ?? 'none')],
    ['state', stateText(entry)],
    ['proof', proofText(entry)],
    ['left out', `${entry.leftOut}`],
    ...copyRows(entry),
    ['restore', restoreOf(value)],
  ]
  return [
    `${host}: ${entry.id}`,
    ...table(rows, '  '),
    ...(entry.damage?.what ?? []).map((what) => `  damage: ${below(shownText(what))}`),
    ...troubles.slice(0, mostTroubles).map((trouble) => `  ${below(shownText(trouble))}`),
    ...(troubles.length > mostTroubles ? [`  and ${troubles.length - mostTroubles} more in its manifest`] : []),
  ]
}

const copyRows = ({ copies }: BackupEntry): readonly (readonly [string, string])[] =>
  copies.length === 0
    ? [['copies', 'none']]
    : copies.map(({ to, at, evidence, encrypted }) => [
        'copy',
        `${shownText(to)}, ${encrypted ? 'encrypted' : 'in the clear'}, ${at.slice(0, 16)}Z, ${shownText(evidence)}`,
      ])

function stateText({ checkpoint, dataSchema, cluster }: BackupEntry): string {
  if (cluster !== null) return `PostgreSQL ${cluster.version}, timeline ${cluster.timeline}`
  if (checkpoint === null) return 'none'
  return `${checkpoint.file} as of ${checkpoint.takenAt}${dataSchema === null ? '' : `, data schema ${dataSchema}`}`
}

/** How each host's backups stand; behind is not healthy. */
export const standingResult = (answers: readonly HostAnswer<BackupStanding>[]): CommandResult => ({
  outcome: joinOutcomes(
    answers.map(({ value, error }) => ({
      outcome: error?.code ?? (value?.behind === true ? 'unhealthy' : 'done'),
      changed: false,
    })),
  ),
  data: { hosts: answers.map(({ host, value, error }) => ({ host, ...value, ...errorField(error) })) },
  text: answers.flatMap(standingLines).join('\n'),
})

function standingLines(answer: HostAnswer<BackupStanding>): readonly string[] {
  const { host, value } = answer
  if (value === undefined) return failed(answer)
  const { behind, points, backups, good, bytes, damaged } = value
  return [
    `${host}: ${behind ? 'BEHIND' : 'in time'}, ${counted(backups, 'backup')} (${good} good), ${formatBytes(bytes)}`,
    ...table(points.map(pointRow), '  '),
    ...damaged.map((what) => `  damaged: ${below(shownText(what))}`),
    ...(behind
      ? [
          `  hint: netops backup; what is not verified: netops backup verify${points.some(({ of, stands }) => of === 'copies' && stands === 'behind') ? '; what is not elsewhere: netops backup copy --missing' : ''}`,
        ]
      : []),
  ]
}

const pointRow = ({ of, promisedMs, ageMs, stands, what }: Point): readonly string[] => [
  of,
  `at most ${formatAge(promisedMs)}`,
  ageMs === undefined ? '-' : `${formatAge(ageMs)} old`,
  stands === 'unjudged' ? '-' : stands === 'behind' ? 'BEHIND' : 'in time',
  shownText(what),
]

/** What would become of each backup, and why. */
export const expiryResult = (answers: readonly HostAnswer<readonly Verdict[]>[]): CommandResult => ({
  outcome: outcomeOfAnswers(answers),
  data: {
    dryRun: true,
    hosts: answers.map(({ host, value, error }) => ({
      host,
      ...(value === undefined ? {} : { backups: value }),
      ...errorField(error),
    })),
  },
  text: [...answers.flatMap(expiryLines), '', 'Dry run: nothing was changed.'].join('\n'),
})

function expiryLines(answer: HostAnswer<readonly Verdict[]>): readonly string[] {
  const { host, value } = answer
  if (value === undefined) return failed(answer)
  const gone = value.filter(({ kept }) => !kept)
  return [
    `${host}: ${gone.length === 0 ? 'nothing to remove' : `would remove ${counted(gone.length, 'backup')}`}`,
    ...table(
      value.map(({ id, kept, reason }) => [kept ? 'keep' : 'REMOVE', id, reason]),
      '  ',
    ),
  ]
}

/** A backup of each host beside its disk. */
export const diffResult = (answers: readonly HostAnswer<Comparison>[]): CommandResult => ({
  outcome: outcomeOfAnswers(answers),
  data: { hosts: answers.map(({ host, value, error }) => ({ host, ...value, ...errorField(error) })) },
  text: answers.flatMap(diffLines).join('\n'),
})

const marks = { added: '+', removed: '-', changed: '~' } as const

function diffLines(answer: HostAnswer<Comparison>): readonly string[] {
  const { host, value } = answer
  if (value === undefined) return failed(answer)
  const { id, counts, differences, unlisted, troubles } = value
  const { added, removed, changed } = counts
  const isSame = added + removed + changed === 0
  return [
    isSame
      ? `${host}: as in ${id}`
      : `${host}: since ${id} ${counted(changed, 'change')}, ${added} new, ${removed} gone`,
    ...differences.map(
      ({ kind, name, what }) =>
        `  ${marks[kind]} ${shownText(name)}${what.length === 0 ? '' : ` (${what.map(shownText).join(', ')})`}`,
    ),
    ...(unlisted > 0 ? [`  and ${unlisted} more`] : []),
    ...troubles.map((trouble) => `  ! ${below(shownText(trouble))}`),
  ]
}
