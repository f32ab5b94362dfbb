// Signals that ask a process for nothing and by default end it, or open Node's debugger on a port (SIGUSR1).

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

/** From now on these signals do nothing to this process, whatever listened to them before; each is told instead. */
export function surviveSignals(onSignal: (signal: NodeJS.Signals) => void): void {
  for (const signal of harmlessSignals) answerAlone(signal, onSignal)
}

/** Listens to a signal in place of all that did before. */
export function answerAlone(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  process.removeAllListeners(signal)
  process.on(signal, listener)
}
