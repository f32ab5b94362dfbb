// In a terminal, a command that takes over a second shows that it is alive; lines of progress go above the spinner.
import type { Ora } from 'ora'

export interface Spinner {
  /** Prints a line of progress on standard error. */
  line(text: string): void
  stop(): void
}

const quietMs = 1000

/** A spinner on standard error that appears after a second; without a terminal only the lines are printed. */
export function spinnerFor(title: string, terminal: boolean): Spinner {
  let spinner: Ora | undefined
  const show = async (): Promise<void> => {
    const { default: ora } = await import('ora')
    if (!stopped) spinner = ora({ text: title, stream: process.stderr, discardStdin: false }).start()
  }
  let stopped = false
  const timer = terminal ? setTimeout(() => void show(), quietMs) : undefined
  timer?.unref()
  return {
    line(text) {
      spinner?.clear()
      process.stderr.write(`${text}\n`)
      spinner?.render()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      spinner?.stop()
    },
  }
}
