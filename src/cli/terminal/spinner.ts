// What stands at the bottom of a terminal while a command runs: a spinner, or the view that takes its place. Lines go above it.
import type { Ora } from 'ora'
import { painted, type Line } from '../painted.ts'
import type { Screen, View } from '../screen.ts'
import type { Output } from './output.ts'
import { printerTo } from './printer.ts'

export interface Spinner extends View {
  /** Prints a line of results on standard output, above the spinner if that is on the same terminal. */
  out(text: Line): void
  /** Ends the spinner; the view stands in its place from now on. */
  giveWayTo(view: () => View): void
}

const quietMs = 1000

const withEnd = (line: Line): Line => (typeof line === 'string' ? `${line}\n` : painted(...line.pieces, '\n'))

/** Whether a stream may be redrawn in place: a terminal that can do it, and a user who wants it (no-color.org). */
export const isRedrawable = (stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean =>
  stream.isTTY === true && env.TERM !== 'dumb' && env.NO_COLOR === undefined

/** A spinner on standard error that appears after a second; without a terminal only the lines are printed. */
export function spinnerFor(title: string, redrawable: boolean, output: Pick<Output, 'write'>): Spinner {
  let spinner: Ora | undefined
  let view: View | undefined
  const show = async (): Promise<void> => {
    const { default: ora } = await import('ora')
    if (!stopped) spinner = ora({ text: title, stream: process.stderr, discardStdin: false }).start()
  }
  let stopped = false
  const timer = redrawable ? setTimeout(() => void show(), quietMs) : undefined
  timer?.unref()
  const end = (): void => {
    stopped = true
    clearTimeout(timer)
    spinner?.stop()
    spinner = undefined
  }
  const [stdout, stderr] = [printerTo(output), printerTo(process.stderr)]
  const above = (print: () => void): void => {
    spinner?.clear()
    print()
    spinner?.render()
  }
  return {
    line(text) {
      if (view === undefined) above(() => stderr(withEnd(text)))
      else view.line(text)
    },
    out(text) {
      above(() => stdout(withEnd(text)))
    },
    giveWayTo(next) {
      end()
      view?.stop()
      view = next()
    },
    stop() {
      end()
      view?.stop()
      view = undefined
    },
  }
}

// What a terminal has that does not tell its size.
const usualSize = { columns: 80, rows: 24 }

/**
 * Gives a terminal that says that it has no columns or rows the usual ones: a serial line, or a pseudo-terminal that nobody
 * told its size. Whatever draws divides by them.
 */
export function hasSize(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return
  const settle = (): void => {
    stream.columns ||= usualSize.columns
    stream.rows ||= usualSize.rows
  }
  settle()
  stream.on('resize', settle)
}

/** Standard error as a screen whose bottom belongs to a spinner until something else is shown. */
export const screenBelow = (spinner: Spinner): Screen => ({
  output: process.stdout.isTTY,
  size: () => ({ columns: process.stderr.columns, rows: process.stderr.rows }),
  write: (text) => process.stderr.write(text),
  show: (view) => spinner.giveWayTo(view),
})
