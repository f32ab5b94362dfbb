// A store that counts what it does, for metrics.
import type { Store } from './port.ts'

/** Counts of a store by name: each driver says what they mean. */
export type StoreStats = Readonly<Partial<Record<string, number>>>

export interface CountedStore extends Store {
  readonly stats: () => StoreStats
}
