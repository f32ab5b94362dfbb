// How the archives of logs stand, for people and for scripts.
import type { HostArchive } from '../../fleet/wal-archives.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import { shownText } from '../../model/escape.ts'
import { joinOutcomes, type Outcome } from '../../model/errors.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import type { CommandResult } from '../command.ts'
import { below, errorField } from './errors.ts'

const outcomeOf = ({ value, error }: HostAnswer<HostArchive>): Outcome =>
  error?.code ?? (value?.problems.length === 0 ? 'done' : 'unhealthy')

/** @returns the result of `netops db archive status`; `unhealthy` where any archive is not well */
export const walArchivesResult = (answers: readonly HostAnswer<HostArchive>[]): CommandResult => ({
  outcome: joinOutcomes(answers.map((answer) => ({ outcome: outcomeOf(answer), changed: false }))),
  data: { hosts: answers.map((answer) => ({ host: answer.host, ...answer.value, ...errorField(answer.error) })) },
  text: answers.map(textOf).join('\n'),
})

function textOf({ host, value, error }: HostAnswer<HostArchive>): string {
  if (value === undefined) {
    const hint = error.hint === undefined ? [] : [`  hint: ${below(error.hint)}`]
    return [`${host}: ${below(error.message)}`, ...hint].join('\n')
  }
  const { mode, server, folder, streaming, slot, last, received, lag, segments, gaps, problems, receiver } = value
  const how = mode === 'stream' ? 'streamed' : 'copied by the server'
  const coming = streaming === undefined ? 'unknown' : streaming ? 'yes' : 'no'
  const behind =
    lag === undefined
      ? 'unknown'
      : lag.bytes === 0
        ? 'nothing'
        : `${formatBytes(lag.bytes)}, for ${formatDuration(lag.ms)}`
  const newest =
    last === undefined
      ? 'none'
      : `${last.name}, written to ${formatDuration(last.ageMs)} ago${received === undefined ? '' : `, up to ${received}`}`
  const kept =
    slot === undefined
      ? []
      : [
          `  slot       ${slot.name}, ${slot.active ? 'in use' : 'not in use'}; the server keeps ${formatBytes(slot.keptBytes)} for it`,
        ]
  return [
    `${host}: the log of ${shownText(server)}, ${how} into ${shownText(folder)}`,
    `  comes      ${coming}${receiver === undefined ? '' : ` (receiver ${receiver})`}`,
    `  behind by  ${behind}`,
    `  newest     ${newest}`,
    `  segments   ${segments} whole, ${gaps.length === 0 ? 'none missing between them' : `missing ${gaps.length}`}`,
    ...kept,
    ...problems.map((problem) => `  PROBLEM    ${below(problem)}`),
  ].join('\n')
}
