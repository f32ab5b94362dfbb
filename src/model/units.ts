// Durations and sizes as people write them (`30s`, `2w`, `100MB`, `1GiB`), as branded numbers inside.
import * as z from 'zod'
import { expects } from './schema-notes.ts'

export type Milliseconds = number & { readonly brand: 'ms' }
export type Bytes = number & { readonly brand: 'bytes' }

const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const sizeUnits: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

const scaled = (text: string, units: Record<string, number>): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text)
  const factor = units[match?.[2] ?? '']
  const amount = Number(match?.[1])
  return factor === undefined || !Number.isSafeInteger(Math.round(amount * factor))
    ? undefined
    : Math.round(amount * factor)
}

/** A number with one of these units, as a schema; the pattern is for those who read the schema without us. */
function quantity<Amount extends number>(units: Record<string, number>, message: string) {
  const pattern = new RegExp(`^\\d+(?:\\.\\d+)?\\s*(?:${Object.keys(units).join('|')})$`)
  const schema = z
    .string()
    .regex(pattern, message)
    .transform((text, context): Amount => {
      const value = scaled(text, units)
      if (value !== undefined) return value as Amount
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
  return expects(schema, message.replace('expected ', ''))
}

/** `1500ms 30s 5m 2h 1d 2w` to milliseconds. */
export const duration = quantity<Milliseconds>(
  durationUnits,
  'expected a duration such as 500ms, 30s, 5m, 2h, 1d or 2w',
)

/** `100MB` (decimal) or `1GiB` (binary) to bytes. */
export const size = quantity<Bytes>(sizeUnits, 'expected a size such as 512KB, 100MB or 1GiB')

/** `83 ms`, `4.2 s`, `3 min 10 s`: how long something took, for people. */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`
  if (Math.round(ms / 100) < 600) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** `118.2 MB`: how much, for people. */
export function formatBytes(bytes: number): string {
  const unit = (['GB', 'MB', 'KB'] as const).find((name) => bytes >= (sizeUnits[name] ?? Infinity))
  return unit === undefined ? `${bytes} B` : `${(bytes / (sizeUnits[unit] ?? 1)).toFixed(1)} ${unit}`
}
