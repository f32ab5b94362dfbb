// What a client of the store and the thread that keeps it send each other: plain data, many in one message.
import type { ListRequest, RecordId, Write } from './port.ts'

export type Question =
  | { readonly ask: 'get'; readonly of: RecordId }
  | { readonly ask: 'list'; readonly of: ListRequest }
  | { readonly ask: 'write'; readonly of: Write }
  | { readonly ask: 'verify' | 'stats' | 'figures' | 'place'; readonly of?: undefined }

export type Request = Question & {
  readonly id: number
  /** Nobody waits for the answer any more after this time of the threads' clock (clock.ts), in ms. */
  readonly until: number
}

export type Answer = { readonly id: number } & (
  | { readonly end: 'ok'; readonly result: unknown }
  /** The database cannot be asked now; `cause` is for the log. */
  | { readonly end: 'unavailable'; readonly reason: string; readonly cause: string | undefined }
  /** A fault of ours. */
  | { readonly end: 'failed'; readonly message: string; readonly stack: string | undefined }
)

export type ToStore = readonly Request[]
export type FromStore = readonly Answer[]
