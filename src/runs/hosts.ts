// The hosts of a run: each with what acts on its services, and a way to it that is made when it is first needed.
import type { HostConnection } from '../drivers/hosts/port.ts'
import type { ServiceManager } from '../drivers/services/port.ts'

export interface RunHost {
  readonly name: string
  readonly services: ServiceManager
  /**
   * The way to the host. One that could not be made is tried anew by whoever asks next.
   * @throws NetopsError as connecting does
   */
  connection(): Promise<HostConnection>
  /** Leaves the host, if it was ever reached. */
  close(): Promise<void>
}

/** A host that is connected to on first use, once for all who use it. */
export function lazyHost(name: string, services: ServiceManager, connect: () => Promise<HostConnection>): RunHost {
  let made: Promise<HostConnection> | undefined
  return {
    name,
    services,
    connection() {
      made ??= connect().catch((error: unknown) => {
        made = undefined
        throw error
      })
      return made
    },
    async close() {
      // One that is still being made is left as soon as it is there; one that cannot be made needs no leaving.
      await made?.then(
        (connection) => connection.close(),
        () => undefined,
      )
    },
  }
}
