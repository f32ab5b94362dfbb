// What the threads of the server are given at their start, and what they tell each other; plain data all of it.
import type { SecureContextOptions } from 'node:tls'
import type { MessagePort } from 'node:worker_threads'
import type { ServerConfig } from '../../model/server-config.ts'
import type { HealthStatus } from '../health.ts'
import type { LogBatch } from '../logs/thread.ts'
import type { InEffect } from '../reload.ts'
import type { SharedMemory } from './shared.ts'

/** One port that a thread serves. */
export interface ListenAt {
  readonly speaks: 'http' | 'tls'
  readonly host: string
  readonly port: number
  /** Sockets that were passed to the process and that this thread accepts from; without any it listens by itself. */
  readonly descriptors: readonly number[]
  /** Nothing is listened on: this thread has none of the sockets that were passed for this port. */
  readonly idle: boolean
}

export interface ServingData {
  readonly kind: 'serving'
  readonly index: number
  readonly config: ServerConfig
  readonly tls: SecureContextOptions | undefined
  /** What tokens are signed with; undefined where there is no key, and no token is good. */
  readonly tokenKey: Uint8Array | undefined
  readonly listen: readonly ListenAt[]
  readonly shared: SharedMemory
  /** What is worth a line of the logs. */
  readonly wantedLogs: SharedArrayBuffer
  /** What the bodies of all requests of the process may hold, in bytes. */
  readonly mostBodies: number
  /** The same for large answers. */
  readonly mostAnswers: number
  /** The folder of the embedded database. */
  readonly dataDir: string
  /** Counts what is written into it (store/sqlite/commits.ts). */
  readonly commits: SharedArrayBuffer
  /** Where the records' store answers (store/client.ts). */
  readonly store: MessagePort
  readonly version: string
  readonly commit: string
  readonly release: string
}

export interface StoreData {
  readonly kind: 'store'
  readonly config: ServerConfig
  /** The folder of the embedded database. */
  readonly dataDir: string
  /** Counts what is written into it (store/sqlite/commits.ts). */
  readonly commits: SharedArrayBuffer
  /** Before every absolute path of the configuration. */
  readonly root: string
  readonly release: string
  /** What is worth a line of the logs. */
  readonly wantedLogs: SharedArrayBuffer
}

export type ThreadData = ServingData | StoreData

/** To a serving thread. */
export type ToThread =
  /** What of the configuration can take effect while it serves. */
  | { readonly kind: 'reload'; readonly now: InEffect }
  | { readonly kind: 'drain'; readonly lingerMs: number; readonly drainMs: number }
  /** Close one connection that may give way: another thread has taken its place. */
  | { readonly kind: 'give-way' }
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'health'; readonly id: number; readonly status: HealthStatus; readonly ageMs: number }

/** From a serving thread. */
export type FromThread =
  | { readonly kind: 'listening'; readonly addresses: readonly Listening[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'log'; readonly batch: LogBatch }
  | { readonly kind: 'drained'; readonly cut: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly values: MetricValues }
  | { readonly kind: 'ask-health'; readonly id: number }
  | { readonly kind: 'make-room'; readonly of: number }

/** To the thread that keeps the store. */
export type ToStoreThread =
  /** Who asks over this port is answered. */
  | { readonly kind: 'client'; readonly port: MessagePort }
  /** Nobody asks any more: write what waits, and close. */
  | { readonly kind: 'end' }

/** From the thread that keeps the store. */
export type FromStoreThread = Extract<FromThread, { readonly kind: 'log' }>

export interface Listening {
  readonly speaks: 'http' | 'tls'
  readonly address: string
  readonly port: number
  readonly family: string
}

/** As prom-client's `getMetricsAsJSON` gives them. */
export type MetricValues = readonly object[]
