// What the store's own thread can say beside the port: counts for metrics, and where the records lie.
import type { Store } from './port.ts'

/** Counts of a store by name: each driver says what they mean. */
export type StoreStats = Readonly<Partial<Record<string, number>>>

export interface CountedStore extends Store {
  readonly stats: () => StoreStats
  /** Which file it has open, for who reads that beside it; undefined where none is, or none may be read so. */
  readonly place?: () => string | undefined
}
