// What a restore would come to and came to, for people and scripts.
import type { Listed } from '../../backups/restore-lists.ts'
import type { FoundBackup, Unpacked } from '../../fleet/restore.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import { shownText } from '../../model/escape.ts'
import { formatBytes } from '../../model/units.ts'
import type { HostLook } from '../../procedures/restore/request.ts'
import type { CommandResult } from '../command.ts'
import { errorField, errorLines, outcomeOfAnswers } from './errors.ts'

const mostPaths = 20

function listLines(title: string, { count, bytes, paths }: Listed): readonly string[] {
  if (count === 0) return []
  const shown = paths.slice(0, mostPaths).map((path) => shownText(`    ${path}`))
  const more = count > shown.length ? [`    and ${count - shown.length} more`] : []
  return [`  ${title} (${count}${bytes > 0 ? `, ${formatBytes(bytes)}` : ''}):`, ...shown, ...more]
}

/** The three lists of one host, and what would be lost. */
export function lookLines(host: string, { id, proof, look }: HostLook): readonly string[] {
  const { replaced, added, removed, lost, leftAlone, troubles, checkpoint, isState } = look
  const differing = replaced.count + added.count + removed.count
  const database =
    checkpoint === null
      ? isState
        ? ['  the archive holds no checkpoint: the database stays as it is']
        : []
      : [`  the database becomes the checkpoint of ${checkpoint.takenAt} (${formatBytes(checkpoint.bytes)})`]
  return [
    shownText(`${host}: ${id}, made ${look.madeAt}, ${proof}, in ${look.archive.folder}`),
    ...(differing === 0 ? ['  no file would be replaced, added or removed'] : []),
    ...listLines('replaced', replaced),
    ...listLines('added', added),
    ...listLines('removed', removed),
    ...(look.unsure === 0 ? [] : [`  replaced by the same, for their attributes cannot be compared: ${look.unsure}`]),
    ...database,
    ...lossLines(lost, checkpoint?.takenAt),
    ...(troubles.length === 0
      ? []
      : [
          `  not in the archive as it should be (${troubles.length}): ${shownText(troubles.slice(0, mostPaths).join(', '))}`,
        ]),
    ...(leftAlone.count === 0 ? [] : [`  left as it is: ${shownText(leftAlone.paths.slice(0, mostPaths).join(', '))}`]),
  ]
}

function lossLines({ files, checkpoints, databaseWrittenAt }: HostLook['look']['lost'], takenAt: string | undefined) {
  const isBehind = databaseWrittenAt !== null && takenAt !== undefined && databaseWrittenAt > takenAt
  const lines = [
    ...listLines('lost: files that were written since the backup', files),
    ...(checkpoints === 0 ? [] : [`  lost: ${checkpoints} checkpoint${checkpoints === 1 ? '' : 's'} taken since`]),
    ...(isBehind ? [`  lost: what was written to the database from ${takenAt} to ${databaseWrittenAt}`] : []),
  ]
  return lines.length === 0 ? ['  nothing that was written since would be lost'] : lines
}

/** A dry run: the lists, then each step with its commands. */
export function shownRestore(
  result: CommandResult,
  looks: ReadonlyMap<string, FoundBackup>,
  lines: readonly string[],
): CommandResult {
  return {
    ...result,
    data: { ...result.data, backups: [...looks].map(([host, { look }]) => ({ host, ...look })) },
    text: `${lines.join('\n')}\n\n${result.text}`,
  }
}

/** What was unpacked on each host, and where. */
export const unpackedResult = (answers: readonly HostAnswer<Unpacked>[]): CommandResult => ({
  outcome: outcomeOfAnswers(answers),
  data: { hosts: answers.map(({ host, value, error }) => ({ host, ...value, ...errorField(error) })) },
  text: answers
    .flatMap(({ host, value, error }) =>
      value === undefined
        ? errorLines(host, error)
        : [
            shownText(
              `${host}: ${value.backup} unpacked into ${value.to} (${value.entries} entries); nothing else was touched`,
            ),
          ],
    )
    .join('\n'),
})
