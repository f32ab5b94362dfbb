// What each request is judged by besides itself: whether the service is in maintenance, and whether it is primary or standby.
// The main thread says it, all threads read it: it lies in memory that they share.

/** Who takes the writes: this service, or another one, by its address where that is known. */
export type Role = { readonly kind: 'primary' } | { readonly kind: 'standby'; readonly primary: string | undefined }

export interface Standing {
  readonly maintenance: () => boolean
  readonly role: () => Role
}

export interface StandingKeeper extends Standing {
  readonly setMaintenance: (on: boolean) => void
  readonly setRole: (role: Role) => void
}

/** How many characters the address of a primary has at most; more than any that a browser would take in practice. */
export const longestAddress = 1000

// Words of 32 bits before the address: how often it was written, and its length.
const words = { writes: 0, length: 1 } as const
const addressAt = 2 * Int32Array.BYTES_PER_ELEMENT

/** Memory for a primary's address, beside the flags that threads share. */
export const addressMemory = (): SharedArrayBuffer => new SharedArrayBuffer(addressAt + longestAddress)

/** What of it is shared by all threads (threads/shared.ts). */
interface Flags {
  readonly maintenance: () => boolean
  readonly setMaintenance: (on: boolean) => void
  readonly standby: () => boolean
  readonly setStandby: (on: boolean) => void
}

/**
 * What the main thread said last, for any thread.
 * @param primary memory of {@link addressMemory}
 */
export function standingIn(flags: Pick<Flags, 'maintenance' | 'standby'>, primary: SharedArrayBuffer): Standing {
  const state = new Int32Array(primary, 0, 2)
  return {
    maintenance: flags.maintenance,
    role: () => {
      for (;;) {
        const before = Atomics.load(state, words.writes)
        const standby = flags.standby()
        // Copied: a decoder takes no shared memory.
        const address = Buffer.from(new Uint8Array(primary, addressAt, Atomics.load(state, words.length)).slice())
        // An odd number: it is just being written. Another number than before: it was.
        if (before % 2 === 0 && Atomics.load(state, words.writes) === before) {
          if (!standby) return { kind: 'primary' }
          return { kind: 'standby', primary: address.length === 0 ? undefined : address.toString('latin1') }
        }
      }
    },
  }
}

/** For the main thread, which alone writes. */
export function keepStanding(flags: Flags, primary: SharedArrayBuffer): StandingKeeper {
  const state = new Int32Array(primary, 0, 2)
  return {
    ...standingIn(flags, primary),
    setMaintenance: flags.setMaintenance,
    setRole: (role) => {
      const address = Buffer.from(role.kind === 'standby' ? (role.primary ?? '') : '', 'latin1')
      if (address.length > longestAddress) throw new RangeError(`an address of ${address.length} characters`)
      Atomics.add(state, words.writes, 1)
      new Uint8Array(primary, addressAt).set(address)
      Atomics.store(state, words.length, address.length)
      flags.setStandby(role.kind === 'standby')
      Atomics.add(state, words.writes, 1)
    },
  }
}
