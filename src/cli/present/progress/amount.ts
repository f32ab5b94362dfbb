// How far the work of a step is, for people. Pure.
import type { OwnRecord } from '../../../model/journal.ts'
import { formatBytes, formatDuration } from '../../../model/units.ts'

type ProgressRecord = Extract<OwnRecord, { type: 'progress' }>

interface BegunStep {
  readonly title: string
  /** When it began, by the clock of the machine that wrote the record. */
  readonly begun: number | undefined
}

// Before that a rate says nothing.
const tooSoonMs = 1000

/** `Remove 3 old runs (1 of 3)`, or `Archive (120.0 MB of 1.2 GB, 80.0 MB a second, 14.0 s left)`. */
export function progressText(
  { title, begun }: BegunStep,
  record: Pick<ProgressRecord, 'at' | 'done' | 'of' | 'unit'>,
): string {
  const { done, of, unit } = record
  if (unit !== 'bytes') return `${title} (${done} of ${of})`
  const ms = begun === undefined ? 0 : Date.parse(record.at) - begun
  const amount = `${formatBytes(done)} of ${formatBytes(of)}`
  if (ms < tooSoonMs || done === 0) return `${title} (${amount})`
  const left = Math.max(0, of - done) / (done / ms)
  return `${title} (${amount}, ${formatBytes(Math.round((done / ms) * 1000))} a second, ${formatDuration(left)} left)`
}
