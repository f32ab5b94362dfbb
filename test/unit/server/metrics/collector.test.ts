import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createCollector } from '../../../../src/server/metrics/collector.ts'
import { createPlainThreadMetrics, createThreadMetrics } from '../../../../src/server/metrics/thread.ts'

const end = (metrics: ReturnType<typeof createThreadMetrics>) =>
  metrics.requestEnded(0.002, { method: 'GET', url: '/health' }, { status: 200, whole: true })

describe('a scrape', () => {
  it('adds up what threads count, and leaves apart what has their names', async () => {
    const threads = [createThreadMetrics('0'), createThreadMetrics('1')] as const
    const store = createPlainThreadMetrics('store')
    end(threads[0])
    end(threads[1])
    end(threads[1])
    const collector = createCollector(new Registry(), async () => ({
      values: await Promise.all([...threads, store].map(({ registry }) => registry.getMetricsAsJSON())),
      silent: 1,
    }))
    const lines = (await collector.text()).split('\n')
    for (const line of [
      'network_requests_total 3',
      'network_response_time_seconds_bucket{le="0.0025"} 3',
      'network_response_time_seconds_bucket{le="0.001"} 0',
      'network_response_time_seconds_count 3',
      'network_responses_total{method="GET",route="/health",status="2xx"} 3',
      'network_threads_silent 1',
    ]) {
      expect(lines).toContain(line)
    }
    const named = lines.filter((line) => line.startsWith('network_heap_bytes{') && line.includes('kind="used"'))
    expect(named.map((line) => /thread="(.+?)"/.exec(line)?.[1]).sort()).toEqual(['0', '1', 'store'])
    const heap = lines.find((line) => line.startsWith('network_memory_bytes{kind="heap"}'))
    expect(Number(heap?.split(' ')[1])).toBeGreaterThan(1e6)
  })

  it('asks once for scrapers that come at once', async () => {
    let asked = 0
    const collector = createCollector(new Registry(), () => {
      asked += 1
      return Promise.resolve({ values: [], silent: 0 })
    })
    await Promise.all([collector.text(), collector.text()])
    expect(asked).toBe(1)
    await collector.text()
    expect(asked).toBe(2)
  })
})
