// Signals that ask a process for nothing and by default end it, or open Node's debugger on a port (SIGUSR1).
import inspector from 'node:inspector'

/**
 * Not among them: SIGPIPE, which Node ignores by itself, and what means an end or a crash (signal(7)): SIGTERM, SIGINT,
 * SIGQUIT, SIGABRT and the faults.
 */
const harmlessSignals = [
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGXCPU',
  'SIGXFSZ',
] as const satisfies readonly NodeJS.Signals[]

/**
 * From now on SIGUSR1 opens no debugger, which any account of the host could reach; one that it has opened while Node began is
 * closed.
 */
export function openNoDebugger(): void {
  answerAlone('SIGUSR1', () => undefined)
  const close = () => {
    if (inspector.url() !== undefined && !debuggerIsWanted()) inspector.close()
  }
  close()
  // What came just before is answered in the first turn of the loop.
  setImmediate(close).unref()
}

const debuggerIsWanted = (): boolean =>
  [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')].some((word) => word.startsWith('--inspect'))

/** From now on these signals do nothing to this process, whatever listened to them before; each is told instead. */
export function surviveSignals(onSignal: (signal: NodeJS.Signals) => void): void {
  for (const signal of harmlessSignals) answerAlone(signal, onSignal)
}

/** Listens to a signal in place of all that did before. */
export function answerAlone(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  process.removeAllListeners(signal)
  process.on(signal, listener)
}
