// Log lines of several hosts: what they say, and their order.
import { parseJson } from '../../model/json.ts'

/** A line of the server's log: an object with a time. */
interface Entry {
  /** As it stands in the line: ISO 8601. */
  readonly time: string
  readonly ms: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** What a line says, where it is JSON with a time; undefined for all others. */
export function parseLogLine(line: string): Entry | undefined {
  if (!line.startsWith('{')) return undefined
  // Something else that begins with a brace is shown as it stands.
  const fields = parseJson(line) as Record<string, unknown> | undefined
  const ms = typeof fields?.time === 'string' ? Date.parse(fields.time) : Number.NaN
  return fields === undefined || Number.isNaN(ms) ? undefined : { time: String(fields.time), ms, fields }
}

export interface HostLine {
  readonly host: string
  readonly line: string
}

/**
 * Merges the lines of hosts by their times. A host's own lines stay in their order; one without a time comes right after
 * the line before it, and those at a beginning right before the first that has one.
 */
export function mergeByTime(logs: readonly { readonly host: string; readonly lines: readonly string[] }[]): HostLine[] {
  const keyed = logs.flatMap(({ host, lines }) => {
    const times = lines.map((line) => parseLogLine(line)?.ms)
    let key = times.find((ms) => ms !== undefined) ?? Infinity
    return lines.map((line, index) => {
      key = Math.max(key, times[index] ?? key)
      return { host, line, key }
    })
  })
  // Keys of a host never fall, and sorting keeps equals in order: so each host's lines stay as they were.
  return keyed.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1)).map(({ host, line }) => ({ host, line }))
}

/** The last lines of a host, up to a size; of what went before, how many they were. */
export class LastLines {
  readonly #limit: { readonly lines: number; readonly bytes: number }
  #lines: string[] = []
  #bytes = 0
  dropped = 0

  constructor(limit: { readonly lines: number; readonly bytes: number }) {
    this.#limit = limit
  }

  push(line: string): void {
    this.#lines.push(line)
    this.#bytes += line.length
    if (this.#bytes <= this.#limit.bytes && this.#lines.length <= this.#limit.lines) return
    // A tenth at once: taking the first away line by line would move all others each time.
    const less = Math.max(1, Math.ceil(this.#lines.length / 10))
    for (const gone of this.#lines.splice(0, less)) this.#bytes -= gone.length
    this.dropped += less
  }

  lines(): readonly string[] {
    return this.#lines
  }
}

// Lines without a time that may follow the newest that has one, and are remembered.
const mostNewest = 1000
const mostOfNewest = 2 ** 20

/** After a lost connection: lets through only what was not seen before it. */
export class SeenLines {
  #last = -Infinity
  /** The lines with the newest time, and those without one behind them. */
  #newest: string[] = []
  #length = 0
  #skip: { readonly left: string[]; reached: boolean } | undefined

  /** The time of the newest line that was let through, if any had one. */
  get since(): number | undefined {
    return Number.isFinite(this.#last) ? this.#last : undefined
  }

  /** What comes from now on begins somewhere before the newest line. */
  again(): void {
    if (this.since !== undefined) this.#skip = { left: [...this.#newest], reached: false }
  }

  isNew(line: string): boolean {
    const ms = parseLogLine(line)?.ms
    if (this.#skip !== undefined && this.#isKnown(this.#skip, line, ms)) return false
    if (ms !== undefined && ms > this.#last) {
      this.#last = ms
      this.#newest = [line]
      this.#length = line.length
      this.#skip = undefined
    } else if (this.#newest.length < mostNewest && this.#length < mostOfNewest) {
      this.#newest.push(line)
      this.#length += line.length
    }
    return true
  }

  #isKnown(skip: { readonly left: string[]; reached: boolean }, line: string, ms: number | undefined): boolean {
    if (ms === undefined ? !skip.reached : ms < this.#last) return true
    skip.reached = true
    const at = skip.left.indexOf(line)
    if (at >= 0) skip.left.splice(at, 1)
    return at >= 0
  }
}
