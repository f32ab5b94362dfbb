// A histogram without labels, counted in plain numbers: one is observed for every request, and only a scrape needs more.
import { Histogram, type MetricObjectWithValues, type MetricValueWithName } from 'prom-client'

export interface PlainHistogramOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds, the lowest first. */
  readonly buckets: readonly number[]
}

/** Registered like any other metric; `observe` is replaced by `add`. */
export class PlainHistogram extends Histogram {
  readonly #name: string
  readonly #bounds: readonly number[]
  /** How many were at most the bound of the same place and above the one before; the last are above all bounds. */
  readonly #counts: Float64Array
  #sum = 0

  constructor({ name, help, buckets }: PlainHistogramOptions) {
    super({ name, help, buckets: [...buckets], registers: [] })
    this.#name = name
    this.#bounds = buckets
    this.#counts = new Float64Array(buckets.length + 1)
  }

  add(value: number): void {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? 0)) at += 1
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += value
  }

  /** How many were added. */
  count(): number {
    return this.#counts.reduce((sum, one) => sum + one, 0)
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const described = await super.get()
    let sum = 0
    const buckets = [...this.#counts].map((count, at) => ({
      value: (sum += count),
      labels: { le: this.#bounds[at] ?? '+Inf' },
      metricName: `${this.#name}_bucket`,
    }))
    const totals = [
      { value: this.#sum, labels: {}, metricName: `${this.#name}_sum` },
      { value: sum, labels: {}, metricName: `${this.#name}_count` },
    ]
    return { ...described, values: [...buckets, ...totals] }
  }
}
