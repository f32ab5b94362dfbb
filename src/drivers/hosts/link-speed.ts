// How fast a host can be sent something, measured once a connection: what decides whether compressing is worth it.
import { randomBytes } from 'node:crypto'
import type { HostConnection } from './port.ts'

const megabyte = 1_000_000

/** A link that is slower than this gains by gzip -1, which a core does at 55 to 90 MB/s (docs/benchmarks.md). */
export const slowLink = 50 * megabyte
/** A link that is quicker than this is slowed by zstd -3, which a core does at 70 to 160 MB/s (docs/benchmarks.md). */
export const fastLink = 100 * megabyte

// The smaller is enough on links where it takes longer than a host may take to begin a command.
const samples = [512 * 1024, 2 * 1024 * 1024]
const longEnoughMs = 250
const timeoutMs = 60_000
// Whoever is at work for more than this share of the time is not waiting for the link, and has no time to compress.
const mostAtWork = 1 / 3

/** What is measured with. */
export interface Clock {
  /** In ms. */
  now(): number
  /** How many of these ms this process has been at work. */
  atWork(): number
}

const ownClock: Clock = { now: () => performance.now(), atWork: () => performance.eventLoopUtilization().active }

const measured = new WeakMap<HostConnection, Promise<number>>()

/** Whether {@link linkSpeed} has its answer already. */
export const isMeasured = (connection: HostConnection): boolean => measured.has(connection)

/**
 * Bytes a second; without end where that cannot be found out, or where it is not the link that takes the time. Unless it is
 * known, something is sent just to find out.
 * @param tell hears how many bytes that took; not of those for an earlier caller
 * @throws NetopsError as the connection; `failed` also when the link is too slow to tell
 */
export function linkSpeed(
  connection: HostConnection,
  tell: (bytes: number) => void,
  clock: Clock = ownClock,
): Promise<number> {
  const known = measured.get(connection)
  if (known !== undefined) return known
  const measuring = measure(connection, tell, clock)
  measured.set(connection, measuring)
  measuring.catch(() => measured.delete(connection))
  return measuring
}

/** Sends so many bytes that are needed anyway, and takes their speed for that of the link. */
export async function measureBy(
  connection: HostConnection,
  size: number,
  send: () => Promise<void>,
  clock: Clock = ownClock,
): Promise<void> {
  const { ms, isWaiting } = await timed(send, clock)
  measured.set(connection, Promise.resolve(isWaiting ? speedOf(size, ms) : Infinity))
}

async function measure(connection: HostConnection, tell: (bytes: number) => void, clock: Clock): Promise<number> {
  const send = (size: number) => {
    // Nothing on the way can make it smaller.
    const bytes = randomBytes(size)
    tell(size)
    return timed(
      async () => (await connection.run(['wc', '-c'], { stdin: { bytes }, timeoutMs, most: 64 * 1024 })).code,
      clock,
    )
  }
  // What the command itself takes; the first may find the host unprepared.
  const empty = Math.min((await send(0)).ms, (await send(0)).ms)
  let speed = Infinity
  for (const size of samples) {
    const { result: code, ms, isWaiting } = await send(size)
    if (code !== 0) return Infinity
    speed = isWaiting ? speedOf(size, ms - empty) : Infinity
    if (isWaiting && ms - empty >= longEnoughMs) break
  }
  return speed
}

const speedOf = (size: number, ms: number): number => (ms > 0 ? (size / ms) * 1000 : Infinity)

async function timed<T>(work: () => Promise<T>, clock: Clock) {
  const [begun, atWork] = [clock.now(), clock.atWork()]
  const result = await work()
  const ms = clock.now() - begun
  return { result, ms, isWaiting: clock.atWork() - atWork <= mostAtWork * ms }
}
