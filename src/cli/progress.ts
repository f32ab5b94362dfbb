// Progress of any run, drawn from its journal's records: one line a step when it ends, with how long it took.
import { Chalk } from 'chalk'
import type { JournalObserver } from '../engine/journal.ts'
import type { JournalRecord, OwnRecord } from '../model/journal.ts'
import { stepsOf, type Plan } from '../model/plan.ts'
import { formatDuration } from '../model/units.ts'
import type { CommandContext } from './command.ts'

/** Prints a line for each step that ends; the same for a host's own run and for what hosts report to an operator. */
export function progressObserver(context: CommandContext): JournalObserver {
  const chalk = new Chalk({ level: context.color ? 1 : 0 })
  const marks = {
    done: chalk.green('ok'),
    unchanged: chalk.dim('unchanged'),
    failed: chalk.red('FAILED'),
    undone: chalk.yellow('undone'),
    'undo-failed': chalk.red('UNDO FAILED'),
  }
  const titles = new Map<string, { host: string; title: string; job: boolean }>()
  const begun = new Map<string, number>()
  const learn = (plan: Plan, scope: string): void => {
    for (const { id, host, title, act } of stepsOf(plan)) {
      titles.set(scope + id, { host, title, job: act.some((effect) => effect.kind === 'job') })
    }
  }
  const show = (record: OwnRecord, scope: string): void => {
    if (record.type === 'run') learn(record.plan, scope)
    if (!('step' in record)) return
    const key = scope + record.step
    const known = titles.get(key)
    if (record.type === 'begin' || record.type === 'undoing') begun.set(key, Date.parse(record.at))
    if (record.type === 'begin' || record.type === 'undoing' || record.type === 'retry' || known === undefined) return
    // What a host did in its job has been told line by line.
    if (known.job && record.type === 'done') return
    if (record.type === 'unchanged' && context.verbosity === 0) return
    const since = begun.get(key)
    const took = since === undefined ? '' : chalk.dim(` ${formatDuration(Date.parse(record.at) - since)}`)
    const reason = 'error' in record && !known.job ? `\n    ${record.error.message.replaceAll('\n', '\n    ')}` : ''
    context.progress(`${known.host.padEnd(8)} ${known.title}: ${marks[record.type]}${took}${reason}`)
  }
  return (record: JournalRecord, when) => {
    if (when === 'before') return
    if (record.type === 'relayed') show(record.record, `${record.step}>`)
    else show(record, '')
  }
}
