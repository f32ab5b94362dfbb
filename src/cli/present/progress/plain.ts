// A run as plain lines: one a step when it ends, with how long it took.
import { Chalk } from 'chalk'
import { shownText } from '../../../model/escape.ts'
import type { JournalRecord, Pushed } from '../../../model/journal.ts'
import { formatBytes, formatDuration } from '../../../model/units.ts'
import { painted, type Line, type Piece } from '../../painted.ts'
import { progressText } from './amount.ts'
import { hasReported, stepNews, stepOf, waitEndOf, type RunView } from './state.ts'
import { pad } from './text.ts'

export interface PlainStyle {
  readonly color: boolean
  /** From 1 on, steps that found nothing to do are told too. */
  readonly verbosity: number
}

/** What a record adds to the lines, if anything; `run` is the run after that record. */
export function plainLine(run: RunView, record: JournalRecord, { color, verbosity }: PlainStyle): Line | undefined {
  if (record.type === 'hook') return hookLine(record, color)
  const news = stepNews(run, record)
  // A pause is told when it begins: nothing else happens while it lasts.
  if (news === undefined) return record.type === 'begin' ? run.between.get(record.step) : undefined
  const { step, host, key, record: own } = news
  if (own.type === 'begin' || own.type === 'undoing') return undefined
  // What a host did in its host run has been told line by line.
  const reported = step.hostRun && hasReported(host, key)
  if (step.hostRun && own.type === 'done') return undefined
  if ((own.type === 'unchanged' || own.type === 'skipped' || (step.quiet && own.type === 'done')) && verbosity === 0)
    return undefined
  const ink = inks(color)
  const marks = {
    done: ink.green('ok'),
    unchanged: ink.dim('unchanged'),
    skipped: ink.dim('skipped'),
    failed: ink.red('FAILED'),
    undone: ink.yellow('undone'),
    'undo-failed': ink.red('UNDO FAILED'),
  }
  const took =
    step.begun === undefined ? '' : ink.dim(` ${formatDuration(Math.max(0, Date.parse(own.at) - step.begun))}`)
  const sent = own.type === 'done' && own.pushed !== undefined ? ink.dim(sentOf(own.pushed)) : ''
  const waited = waitEndOf(step, own)
  const ended = waited === undefined ? '' : `, ${waited}`
  const reason = 'error' in own && !reported ? indented(own.error.message) : ''
  return painted(`${nameColumn(run, host.name)} ${shownText(step.title)}: `, marks[own.type], ended, took, sent, reason)
}

/** What colours a piece of a line; where there are to be none it stays as it is. */
function inks(color: boolean) {
  const chalk = new Chalk({ level: 1 })
  const ink =
    (paint: Piece['paint']) =>
    (text: string): string | Piece =>
      color ? { text, paint } : text
  return { green: ink(chalk.green), yellow: ink(chalk.yellow), red: ink(chalk.red), dim: ink(chalk.dim) }
}

/** A reason below its line: whatever it says, it begins no line of its own. */
const indented = (message: string): string => `\n    ${message.replaceAll('\n', '\n    ')}`

/** What a configuration weighs interests nobody. */
const largePush = 1_000_000
const sentOf = ({ bytes, of }: Pushed): string =>
  of < largePush ? '' : `, ${formatBytes(bytes)} of ${formatBytes(of)} sent`

/** Whether a record tells of a failure that no earlier record has told. */
export function isNewFailure(run: RunView, record: JournalRecord): boolean {
  if (record.type === 'hook') return record.outcome === 'failed'
  const news = stepNews(run, record)
  if (news === undefined || !('error' in news.record)) return false
  return !(news.step.hostRun && hasReported(news.host, news.key))
}

/** A hook is the operator's own command, and belongs to no host. */
function hookLine({ phase, argv, outcome, error }: HookRecord, color: boolean): Line {
  const ink = inks(color)
  const mark = outcome === 'done' ? ink.green('ok') : ink.red('FAILED')
  const reason = error === undefined ? '' : indented(error.message)
  return painted(`${phase} hook ${shownText(argv.join(' '))}: `, mark, reason)
}

type HookRecord = Extract<JournalRecord, { type: 'hook' }>

/** How far work is, as a line; undefined for a step that no plan named. */
export function progressLine(run: RunView, record: JournalRecord): string | undefined {
  const own = record.type === 'relayed' ? record.record : record
  if (own.type !== 'progress') return undefined
  const { host, step } = stepOf(run, own, record.type === 'relayed' ? record.step : undefined) ?? {}
  if (host === undefined || step === undefined) return undefined
  return `${nameColumn(run, host.name)} ${shownText(progressText(step, own))}`
}

const narrowest = 8
/** A host's name, as wide as the longest. */
const nameColumn = ({ nameWidth }: RunView, name: string): string => pad(name, Math.max(narrowest, nameWidth))
