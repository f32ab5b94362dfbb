// What a benchmark says: quantiles of its samples, and tables for docs/benchmarks.md.
import { cpus, loadavg } from 'node:os'

export interface Figures {
  readonly min: number
  readonly median: number
  readonly p95: number
  readonly samples: number
}

/** Nearest-rank quantiles, in the unit of the samples. */
export function figures(samples: readonly number[]): Figures {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { min: at(0), median: at(0.5), p95: at(0.95), samples: samples.length }
}

/** What the project aims at, as a ratio of medians. */
export interface Aim {
  readonly aim: string
  readonly ratio: number
  readonly aimedRatio: number
  readonly met: boolean
}

export const aimOf = (aim: string, ratio: number, aimedRatio: number): Aim => ({
  aim,
  ratio,
  aimedRatio,
  met: ratio <= aimedRatio,
})

/** The line that a benchmark ends with. */
export const aimText = ({ aim, ratio, aimedRatio, met }: Aim): string =>
  `aim ${aim}: ${ratio.toFixed(2)}, at most ${aimedRatio}: ${met ? 'met' : 'missed'}`

/** A Markdown table; all columns but the first are figures. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[], filled = ' '): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0, filled) : cell.padStart(widths[i] ?? 0, filled))).join(' | ')} |`
  const rule = line(
    head.map((_, column) => (column === 0 ? '' : ':')),
    '-',
  )
  return [line(head), rule, ...rows.map((row) => line(row))].join('\n')
}

/** What it ran on: without it no figure means anything. */
export function machine() {
  const processors = cpus()
  return {
    node: process.versions.node,
    processors: `${processors.length} x ${processors[0]?.model ?? '?'}`,
    load: load(),
  }
}

/** The load average over one minute, which tells whether other work disturbed the figures. */
export const load = (): number => Math.round((loadavg()[0] ?? 0) * 10) / 10
