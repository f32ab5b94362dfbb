// The records of a run, one a line, and how it ended.
import { shownText } from '../../model/escape.ts'
import { exitCodes } from '../../model/errors.ts'
import { below } from './errors.ts'
import type { JournalRecord } from '../../model/journal.ts'
import type { Ending } from '../../runs/follow.ts'
import { logLines } from './errors.ts'

/** One record in a few words. */
export function describeRecord(record: JournalRecord): string {
  const error = 'error' in record && record.error !== undefined ? `: ${below(record.error.message)}` : ''
  switch (record.type) {
    case 'relayed':
      return `${shownText(record.step)} > ${describeRecord(record.record)}`
    case 'run':
      return shownText(`${record.procedure} begun by netops ${record.by}`)
    case 'resumed':
      return shownText(`resumed by netops ${record.by}`)
    case 'undo':
      return 'to be taken back'
    case 'parked':
      return `stopped, and can go on${error}`
    case 'hook':
      return `${record.phase} hook ${record.argv.join(' ')}: ${record.outcome}${error}`
    case 'end':
      return `ended: ${record.outcome}${record.undone === true ? ', undone' : ''}${error}`
    default:
      return `${shownText(record.step)}: ${record.type}${error}`
  }
}

export function describeEnding(ending: Ending): string {
  if (ending.type === 'parked') return `not yet: ${below(ending.error.message)}`
  const { outcome, error } = ending
  return outcome === 'done'
    ? 'done'
    : [
        `${exitCodes[outcome].meaning}${error === undefined ? '' : `\n  ${below(error.message)}`}`,
        ...logLines(error),
      ].join('\n')
}
