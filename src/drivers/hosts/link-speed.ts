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

const measured = new WeakMap<HostConnection, Promise<number>>()

/**
 * Bytes a second; without end where that cannot be found out.
 * @param tell hears how many bytes that took to find out; not of those for an earlier caller
 * @param now in ms
 * @throws NetopsError as the connection; `failed` also when the link is too slow to tell
 */
export function linkSpeed(
  connection: HostConnection,
  tell: (bytes: number) => void,
  now = (): number => performance.now(),
): Promise<number> {
  const known = measured.get(connection)
  if (known !== undefined) return known
  const measuring = measure(connection, tell, now)
  measured.set(connection, measuring)
  measuring.catch(() => measured.delete(connection))
  return measuring
}

async function measure(connection: HostConnection, tell: (bytes: number) => void, now: () => number): Promise<number> {
  const took = async (size: number): Promise<number | undefined> => {
    // Nothing on the way can make it smaller.
    const bytes = randomBytes(size)
    tell(size)
    const begun = now()
    const { code } = await connection.run(['wc', '-c'], { stdin: { bytes }, timeoutMs })
    return code === 0 ? now() - begun : undefined
  }
  // What the command itself takes; the first may find the host unprepared.
  const empty = Math.min((await took(0)) ?? 0, (await took(0)) ?? 0)
  let speed = Infinity
  for (const size of samples) {
    const whole = await took(size)
    if (whole === undefined) return Infinity
    const onTheWay = whole - empty
    speed = onTheWay > 0 ? (size / onTheWay) * 1000 : Infinity
    if (onTheWay >= longEnoughMs) break
  }
  return speed
}
