// What ends a command before its own end: Ctrl-C once, twice, three times; the signals of other programs; a reader that left.
import type { CommandContext } from '../command.ts'

// Other programs send SIGKILL ten seconds after SIGTERM, or later (docker-stop(1), systemd.kill(5)).
const patience = { stopMs: 8000, leaveMs: 1500 }
// Then a person wants to know that Ctrl-C was heard.
const tellAfterMs = 2000

export interface Interrupts extends Pick<CommandContext, 'signal' | 'undoSignal' | 'leaving' | 'answerInterrupts'> {
  /** Ends a command whose lines do not arrive any more; a run goes on. */
  readonly stopUnread: (why: Error) => void
}

/**
 * Listens until the process ends. A command that does not answer to interrupts stops waiting for anything at the first. One
 * that carries a run out stops it after its step (Ctrl-C, SIGTERM) or takes it back (Ctrl-C again, SIGUSR2); after SIGTERM it
 * leaves the hosts where that takes long, and after SIGHUP (the terminal is gone) at once, as if the connections were lost.
 * A run of this host itself is left by neither.
 * @param tell prints a line for the operator
 * @param leave ends the process at once
 */
export function listenForInterrupts(tell: (line: string) => void, leave: () => never): Interrupts {
  const [stop, undo, leaving] = [new AbortController(), new AbortController(), new AbortController()]
  let carried: 'from here' | 'on this host' | undefined
  const letGo = (): void => {
    leaving.abort()
    stop.abort()
    setTimeout(leave, patience.leaveMs).unref()
  }
  const goBack = (): void => {
    if (carried === undefined) leave()
    tell('taking back what was done; Ctrl-C again leaves at once, and the run can be resumed')
    stop.abort()
    undo.abort()
  }
  /** A command that carries out no run; what it has begun on hosts, it may still end. */
  const stopCommand = (reason?: Error): void => {
    stop.abort(reason)
    leaving.abort()
  }
  const soon = (then: () => void): void => void setTimeout(then, patience.stopMs).unref()
  // The listeners stay: libraries that see none end the process by themselves.
  process.on('SIGINT', () => {
    if (undo.signal.aborted) leave()
    if (stop.signal.aborted) return goBack()
    if (carried === undefined) {
      setTimeout(() => tell('stopping; Ctrl-C again leaves at once'), tellAfterMs).unref()
      return stopCommand()
    }
    tell('stopping after the step under way; Ctrl-C again takes back what was done')
    stop.abort()
  })
  process.on('SIGTERM', () => {
    if (carried === undefined) {
      soon(leave)
      return stopCommand()
    }
    stop.abort()
    if (carried === 'on this host') return
    soon(() => {
      tell('not waiting for the step under way any longer')
      letGo()
    })
  })
  process.on('SIGHUP', () => {
    if (carried === 'on this host') return
    if (carried === 'from here') return letGo()
    soon(leave)
    stopCommand()
  })
  process.on('SIGUSR2', goBack)
  return {
    signal: stop.signal,
    undoSignal: undo.signal,
    leaving: leaving.signal,
    answerInterrupts: (where) => {
      carried = where
    },
    stopUnread: (why) => {
      if (carried !== undefined) return
      soon(leave)
      stopCommand(why)
    },
  }
}
