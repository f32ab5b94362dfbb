// What a service manager is to everything above. Drivers: systemd, process.
import type { ServiceEffect } from '../../model/effects.ts'
import type { HostCommand, HostReader } from '../hosts/port.ts'

export interface ServiceState {
  readonly state: 'absent' | 'stopped' | 'starting' | 'running' | 'failed'
  readonly mainPid: number | undefined
  /** Another at every start; equal as long as the same process runs. */
  readonly startId: string | undefined
  /** How often it was restarted by itself since it was started on purpose. */
  readonly restarts: number
  /** ISO time of the last start, where known. */
  readonly since: string | undefined
  /** It runs, and nothing is there that would restart it. */
  readonly unsupervised?: true
  /** How the last life ended where there is none now: its exit code, 128 + n where signal n ended it. */
  readonly ended?: number
  /** From where on its log belongs to this start or to what came after it; for {@link ServiceManager.logSince}. */
  readonly logFrom?: string
}

export interface ServiceManager {
  readonly kind: 'systemd' | 'process'
  /** Pure: the exact commands of an effect. */
  commandsOf(effect: ServiceEffect): readonly HostCommand[]
  /** The root that its services lie below: `/` on a host of its own. */
  readonly root: string
  /** Pure: the command with which a person sees what the service said. */
  logsCommand(unit: string): readonly string[]
  /** The last lines that the service printed since a start, at most so many. */
  logSince(reader: HostReader, unit: string, from: string, lines: number): Promise<readonly string[]>
  read(reader: HostReader, unit: string): Promise<ServiceState>
  /**
   * What a service gets at its next start, by systemd's names such as `LimitNOFILE` (systemd.exec(5)); names that the
   * manager does not know are left out.
   */
  readLimits(reader: HostReader, unit: string, names: readonly string[]): Promise<Readonly<Record<string, string>>>
}
