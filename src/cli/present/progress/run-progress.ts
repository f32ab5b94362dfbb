// The progress of any run, drawn from its journal's records: plain lines, or on a terminal a live view of several hosts.
import { Chalk } from 'chalk'
import type { JournalRecord } from '../../../model/journal.ts'
import type { RunWatcher } from '../../../runs/context.ts'
import type { CommandContext } from '../../command.ts'
import type { Line } from '../../painted.ts'
import { liveView } from './live-view.ts'
import { frame, type Paint } from './live.ts'
import { isNewFailure, plainLine, progressLine } from './plain.ts'
import { advance, unknownRun } from './state.ts'

const tellEveryMs = 10_000

/**
 * Shows a run. The same for one that this process carries out and for one that it follows.
 * @param line where plain lines go; above a live view they go to the terminal
 */
export function runProgress(
  context: Pick<CommandContext, 'color' | 'verbosity' | 'progress' | 'screen'>,
  line: (text: Line) => void = context.progress,
): RunWatcher {
  let run = unknownRun
  let live = false
  const paint = painter(context.color)
  const startLive = (): boolean => {
    if (context.screen === undefined || run.hosts.size < 2) return false
    const { screen } = context
    screen.show(() => liveView(screen, (size) => frame(run, Date.now(), size, paint)))
    return true
  }
  // Of work that takes long, without a live view.
  let told = -Infinity
  const nowAndThen = (record: JournalRecord): string | undefined => {
    const text = performance.now() - told < tellEveryMs ? undefined : progressLine(run, record)
    if (text !== undefined) told = performance.now()
    return text
  }
  return {
    recall(record) {
      run = advance(run, record)
    },
    see(record) {
      run = advance(run, record)
      live ||= startLive()
      const text = plainLine(run, record, context) ?? (live ? undefined : nowAndThen(record))
      if (text === undefined) return
      if (!live) line(text)
      else if (context.verbosity > 0 || isNewFailure(run, record)) context.progress(text)
    },
  }
}

function painter(color: boolean): Paint {
  const chalk = new Chalk({ level: 1 })
  const paints: Partial<Record<Parameters<Paint>[0], (text: string) => string>> = {
    failed: chalk.red,
    'rolled-back': chalk.yellow,
    parked: chalk.yellow,
    undone: chalk.yellow,
    unfinished: chalk.yellow,
    undoing: chalk.yellow,
    waiting: chalk.dim,
    'not-begun': chalk.dim,
    done: chalk.green,
    unchanged: chalk.dim,
  }
  return (state, text) => {
    const paint = color ? paints[state] : undefined
    return paint === undefined ? text : { text, paint }
  }
}
