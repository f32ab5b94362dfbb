// The leases of a fleet run on its hosts: a heartbeat for each, and no word to a host that may be another's by now.
import type { HostConnection } from '../drivers/hosts/port.ts'
import { leaseTiming } from '../engine/lease-file.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import type { LeaseEffect } from '../model/effects.ts'
import { leaseRemotely } from './remote-netops.ts'

interface KeptLease {
  readonly connection: HostConnection
  readonly effect: LeaseEffect
  readonly timer: NodeJS.Timeout
  /** When the last heartbeat that the host answered was sent, in ms of this process's own clock. */
  renewedAt: number
  /** The heartbeat that is under way. */
  renewing: Promise<void> | undefined
  lost: NetopsError | undefined
}

/** All hosts that a fleet run has taken. */
export class FleetLeases {
  readonly #kept = new Map<string, KeptLease>()

  /** Takes a host; returns from whom it was taken over, for people. */
  async take(connection: HostConnection, effect: LeaseEffect): Promise<string | undefined> {
    const sent = performance.now()
    const takenFrom = await leaseRemotely(connection, effect, 'take')
    this.#forget(connection.name)
    const timer = setInterval(() => void this.#renew(kept), leaseTiming.heartbeatMs)
    timer.unref()
    const kept: KeptLease = { connection, effect, timer, renewedAt: sent, renewing: undefined, lost: undefined }
    this.#kept.set(connection.name, kept)
    return takenFrom
  }

  async giveBack(connection: HostConnection, effect: LeaseEffect): Promise<void> {
    this.#forget(connection.name)
    await leaseRemotely(connection, effect, 'give-back')
  }

  /**
   * Returns when it is sure that the host is still this run's; a host that was never taken is let pass.
   * @throws NetopsError `locked`, resumable, when it is another's; `unreachable` when it cannot be asked
   */
  async assure(host: string): Promise<void> {
    const kept = this.#kept.get(host)
    if (kept === undefined) return
    // This process stood still, or the host did not answer: nothing is done before it says that the lease still holds.
    if (performance.now() - kept.renewedAt > leaseTiming.boundMs / 2) await this.#renew(kept)
    if (kept.lost !== undefined) throw kept.lost
  }

  /** Ends all heartbeats. */
  close(): void {
    for (const host of [...this.#kept.keys()]) this.#forget(host)
  }

  #renew(kept: KeptLease): Promise<void> {
    kept.renewing ??= this.#renewNow(kept).finally(() => {
      kept.renewing = undefined
    })
    return kept.renewing
  }

  async #renewNow(kept: KeptLease): Promise<void> {
    const sent = performance.now()
    try {
      await leaseRemotely(kept.connection, kept.effect, 'renew')
      kept.renewedAt = sent
      kept.lost = undefined
    } catch (thrown) {
      // Nobody waits for most heartbeats: whatever went wrong with one is kept, and told by the effect that needs the host.
      const error = locate(thrown, { host: kept.connection.name })
      if (error.code === 'locked' || performance.now() - kept.renewedAt > leaseTiming.boundMs) kept.lost = error
    }
  }

  #forget(host: string): void {
    clearInterval(this.#kept.get(host)?.timer)
    this.#kept.delete(host)
  }
}
