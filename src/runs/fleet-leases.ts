// A fleet run's hold on its hosts: a heartbeat for each, and no word to a host that may be another's by now.
import type { HostConnection } from '../drivers/hosts/port.ts'
import { leaseTiming } from '../engine/lease-file.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import type { LeaseEffect } from '../model/effects.ts'
import { callLease } from './remote-netops.ts'

interface Hold {
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
export class Holds {
  readonly #holds = new Map<string, Hold>()

  /** Takes a host; returns from whom it was taken over, for people. */
  async take(connection: HostConnection, effect: LeaseEffect): Promise<string | undefined> {
    const sent = performance.now()
    const takenFrom = await callLease(connection, effect, 'take')
    this.#forget(connection.name)
    const timer = setInterval(() => void this.#renew(hold), leaseTiming.heartbeatMs)
    timer.unref()
    const hold: Hold = { connection, effect, timer, renewedAt: sent, renewing: undefined, lost: undefined }
    this.#holds.set(connection.name, hold)
    return takenFrom
  }

  async giveBack(connection: HostConnection, effect: LeaseEffect): Promise<void> {
    this.#forget(connection.name)
    await callLease(connection, effect, 'give-back')
  }

  /**
   * Returns when it is sure that the host is still this run's; a host that was never taken is let pass.
   * @throws NetopsError `locked`, resumable, when it is another's; `unreachable` when it cannot be asked
   */
  async assure(host: string): Promise<void> {
    const hold = this.#holds.get(host)
    if (hold === undefined) return
    // This process stood still, or the host did not answer: nothing is done before it says that the lease still holds.
    if (performance.now() - hold.renewedAt > leaseTiming.boundMs / 2) await this.#renew(hold)
    if (hold.lost !== undefined) throw hold.lost
  }

  /** Ends all heartbeats. */
  close(): void {
    for (const host of [...this.#holds.keys()]) this.#forget(host)
  }

  #renew(hold: Hold): Promise<void> {
    hold.renewing ??= this.#renewNow(hold).finally(() => {
      hold.renewing = undefined
    })
    return hold.renewing
  }

  async #renewNow(hold: Hold): Promise<void> {
    const sent = performance.now()
    try {
      await callLease(hold.connection, hold.effect, 'renew')
      hold.renewedAt = sent
      hold.lost = undefined
    } catch (thrown) {
      // Nobody waits for most heartbeats: whatever went wrong with one is kept, and told by the effect that needs the host.
      const error = locate(thrown, { host: hold.connection.name })
      if (error.code === 'locked' || performance.now() - hold.renewedAt > leaseTiming.boundMs) hold.lost = error
    }
  }

  #forget(host: string): void {
    clearInterval(this.#holds.get(host)?.timer)
    this.#holds.delete(host)
  }
}
