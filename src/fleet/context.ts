// What work on a fleet may use of the outside.
import type { Connections } from './connections.ts'

export interface FleetContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly connections: Connections
  /** Where a line of progress goes. */
  readonly progress: (line: string) => void
  /** Aborted when the operator stops the command. */
  readonly signal: AbortSignal
  /** Aborted when nothing is waited for any longer; a run's hosts then go on by themselves. */
  readonly leaving: AbortSignal
}
