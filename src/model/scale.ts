// What a server of a given size is configured with: between the guide's two points and bounded by memory.

export interface HostSize {
  readonly cores: number
  readonly memoryBytes: number
}

export interface Scaled {
  readonly value: number
  /** Why this value, in a sentence. */
  readonly reason: string
}

export interface Scale {
  readonly workerThreads: Scaled
  readonly maxConnections: Scaled
  readonly connectionPoolSize: Scaled
  readonly bufferSize: Scaled
}

const KiB = 2 ** 10
const MiB = 2 ** 20

// guide: Configuration Structure (4 threads, 1000 connections) and Vertical Scaling (32 and 10000).
const small = { threads: 4, connections: 1000 }
const large = { threads: 32, connections: 10_000 }
const connectionsPerPooled = 10 // guide: 1000 connections with a pool of 100, 10000 with one of 1000
const largestBuffer = MiB // guide: Vertical Scaling, `buffer_size: 1048576  # 1MB buffers`
const smallestBuffer = 64 * KiB

/** guide: Thread Pool Tuning. */
export const threadsFor = (cores: number): number => Math.min(64, Math.max(4, 2 * cores))

export const threadsReason = (cores: number): string =>
  `twice the ${cores} cores, at least 4 and at most 64 (guide: Thread Pool Tuning)`

export function scaleFor({ cores, memoryBytes }: HostSize): Scale {
  const threads = threadsFor(cores)
  const slope = (large.connections - small.connections) / (large.threads - small.threads)
  const byThreads = hundreds(small.connections + (threads - small.threads) * slope)
  const budget = memoryBytes / 2
  const fits = (buffer: number): boolean => byThreads * buffer <= budget
  let buffer = largestBuffer
  while (buffer > smallestBuffer && !fits(buffer)) buffer /= 2
  const connections = fits(buffer) ? byThreads : hundreds(Math.floor(budget / buffer))
  const memory = formatBinary(memoryBytes)
  return {
    workerThreads: { value: threads, reason: threadsReason(cores) },
    maxConnections: {
      value: connections,
      reason:
        connections === byThreads
          ? `on the line from the guide's 1000 for 4 threads to its 10000 for 32 (guide: Vertical Scaling)`
          : `as many as have a buffer of ${formatBinary(buffer)} within half of ${memory}; the threads alone would allow ${byThreads}`,
    },
    connectionPoolSize: {
      value: Math.max(1, Math.floor(connections / connectionsPerPooled)),
      reason: 'a tenth of the connections, as in both configurations of the guide',
    },
    bufferSize: {
      value: buffer,
      reason:
        buffer === largestBuffer
          ? `1 MiB (guide: Vertical Scaling); all ${connections} together stay within half of ${memory}`
          : `less than the guide's 1 MiB, so that the buffers of all ${connections} connections stay within half of ${memory}`,
    },
  }
}

const hundreds = (amount: number): number =>
  amount < 100 ? Math.max(1, Math.floor(amount)) : Math.floor(amount / 100) * 100

/** `32 GiB`, `64 KiB`: how much memory, for people. */
export function formatBinary(bytes: number): string {
  if (bytes >= 1024 * MiB) return `${round(bytes / (1024 * MiB))} GiB`
  return bytes >= MiB ? `${round(bytes / MiB)} MiB` : `${round(bytes / KiB)} KiB`
}
const round = (amount: number): number => Math.round(amount * 10) / 10
