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

// Words of 32 bits before the address: maintenance, role, how often role and address were written, the address's length.
const words = { maintenance: 0, standby: 1, writes: 2, length: 3 } as const
const addressAt = 4 * Int32Array.BYTES_PER_ELEMENT

/** The memory behind a {@link Standing}, for all threads: not in maintenance, primary. */
export const standingMemory = (): SharedArrayBuffer => new SharedArrayBuffer(addressAt + longestAddress)

/** What the main thread said last, for any thread. */
export function standingIn(memory: SharedArrayBuffer): Standing {
  const state = new Int32Array(memory, 0, 4)
  return {
    maintenance: () => Atomics.load(state, words.maintenance) === 1,
    role: () => {
      for (;;) {
        const before = Atomics.load(state, words.writes)
        const standby = Atomics.load(state, words.standby) === 1
        // Copied: a decoder takes no shared memory.
        const address = Buffer.from(new Uint8Array(memory, addressAt, Atomics.load(state, words.length)).slice())
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
export function keepStanding(memory: SharedArrayBuffer): StandingKeeper {
  const state = new Int32Array(memory, 0, 4)
  return {
    ...standingIn(memory),
    setMaintenance: (on) => void Atomics.store(state, words.maintenance, on ? 1 : 0),
    setRole: (role) => {
      const address = Buffer.from(role.kind === 'standby' ? (role.primary ?? '') : '', 'latin1')
      if (address.length > longestAddress) throw new RangeError(`an address of ${address.length} characters`)
      Atomics.add(state, words.writes, 1)
      new Uint8Array(memory, addressAt).set(address)
      Atomics.store(state, words.length, address.length)
      Atomics.store(state, words.standby, role.kind === 'standby' ? 1 : 0)
      Atomics.add(state, words.writes, 1)
    },
  }
}
