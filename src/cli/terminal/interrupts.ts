// Ctrl-C once, twice, three times: stop after the step, take back what was done, leave at once.
import type { CommandContext } from '../command.ts'

/**
 * Listens until the process ends. SIGTERM counts as the first Ctrl-C (a machine that shuts down sends it), SIGUSR2 as the
 * second. A command that does not answer to them ends at the second.
 * @param tell prints a line for the operator
 * @param leave ends the process at once
 */
export function listenForInterrupts(
  tell: (line: string) => void,
  leave: () => never,
): Pick<CommandContext, 'signal' | 'undoSignal' | 'answerInterrupts'> {
  const [stop, undo] = [new AbortController(), new AbortController()]
  let answered = false
  const goBack = (): void => {
    if (!answered) leave()
    tell('taking back what was done; Ctrl-C again leaves at once, and the run can be resumed')
    stop.abort()
    undo.abort()
  }
  // The listeners stay: libraries that see none end the process by themselves.
  process.on('SIGINT', () => {
    if (undo.signal.aborted) leave()
    if (stop.signal.aborted) return goBack()
    if (answered) tell('stopping after the step under way; Ctrl-C again takes back what was done')
    stop.abort()
  })
  process.on('SIGTERM', () => stop.abort())
  process.on('SIGUSR2', goBack)
  return {
    signal: stop.signal,
    undoSignal: undo.signal,
    answerInterrupts: () => {
      answered = true
    },
  }
}
