// JSON that others wrote, and one text for equal values.
import type * as z from 'zod'

/** A value that JSON can hold. */
export type Json = z.core.util.JSONType

/** What a text holds; undefined where it is no JSON. What follows is a schema's to judge: nothing has no shape. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whoever asks says what he expected, and where.
    return undefined
  }
}

/** The same text for values that differ in the order of their fields alone: to compare and to hash. */
export const canonicalJson = (value: unknown): string => JSON.stringify(canonical(value))

/** The same value with the fields of every object sorted by name. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(
    fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, field]) => [name, canonical(field)]),
  )
}
