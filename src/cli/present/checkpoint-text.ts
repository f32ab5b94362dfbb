// Checkpoints of hosts for people and scripts.
import type { HostAnswer } from '../../fleet/pool.ts'
import type { TakenCheckpoint } from '../../model/checkpoint.ts'
import { shownText } from '../../model/escape.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import type { CommandResult } from '../command.ts'
import { errorField, errorLines, outcomeOfAnswers } from './errors.ts'

/** What each host's server took, or why it did not. */
export const checkpointResult = (answers: readonly HostAnswer<TakenCheckpoint>[]): CommandResult => ({
  outcome: outcomeOfAnswers(answers),
  data: { hosts: answers.map(({ host, value, error }) => ({ host, ...value, ...errorField(error) })) },
  text: answers.flatMap(linesOf).join('\n'),
})

function linesOf({ host, value, error }: HostAnswer<TakenCheckpoint>): readonly string[] {
  if (value === undefined) return errorLines(host, error)
  const { path, bytes, sha256, ms } = value
  return [shownText(`${host}: ${path} (${formatBytes(bytes)}, ${formatDuration(ms)})`), `  sha256 ${sha256}`]
}
