import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { countOutcomes, routeOf } from '../../../../src/server/metrics/outcomes.ts'

describe('routes', () => {
  it.each([
    ['/health', '/health'],
    ['/health/ready?x=1', '/health/ready'],
    ['/openapi.json', '/openapi.json'],
    ['/v1/records/users', '/v1/records/{collection}'],
    ['/v1/records/users?prefix=/a/b', '/v1/records/{collection}'],
    ['/v1/records/users/7', '/v1/records/{collection}/{key}'],
    ['/v1/records/', 'other'],
    ['/v1/records/users/', 'other'],
    ['/v1/records/users/7/8', 'other'],
    ['/v1/records//7', 'other'],
    ['/health/', 'other'],
    ['//health', 'other'],
    ['*', 'other'],
    ['', 'other'],
    [undefined, 'other'],
  ])('take %s for %s', (url, route) => {
    expect(routeOf(url)).toBe(route)
  })
})

describe('outcomes', () => {
  const linesOf = async (name: string, registry: Registry): Promise<readonly string[]> =>
    (await registry.getSingleMetricAsString(name))
      .split('\n')
      .filter((line) => !line.startsWith('#') && !line.endsWith(' 0'))

  it('count by method, route and class of status, and errors by type', async () => {
    const registry = new Registry()
    const outcomes = countOutcomes(registry)
    outcomes.ended('GET', '/health', { status: 200, whole: true })
    outcomes.ended('GET', '/health', { status: 200, whole: true })
    outcomes.ended('PUT', '/v1/records/a/b', { status: 412, whole: true })
    outcomes.ended('BREW', '/coffee', { status: 418, whole: true })
    outcomes.ended('GET', '/health', { status: 0, whole: false })
    outcomes.ended('GET', '/health', { status: 200, whole: false })
    outcomes.broken(400)
    outcomes.broken(408)
    outcomes.refused()
    expect(await linesOf('network_responses_total', registry)).toEqual([
      'network_responses_total{method="GET",route="/health",status="none"} 1',
      'network_responses_total{method="GET",route="/health",status="2xx"} 3',
      'network_responses_total{method="PUT",route="/v1/records/{collection}/{key}",status="4xx"} 1',
      'network_responses_total{method="other",route="other",status="4xx"} 1',
    ])
    expect(await linesOf('network_errors_total', registry)).toEqual([
      'network_errors_total{type="timeout"} 1',
      'network_errors_total{type="precondition_failed"} 1',
      'network_errors_total{type="aborted"} 2',
      'network_errors_total{type="broken_request"} 1',
      'network_errors_total{type="refused"} 1',
      'network_errors_total{type="client_error"} 1',
    ])
  })

  it('make no more labels however many addresses, methods and statuses clients think of', async () => {
    const registry = new Registry()
    const outcomes = countOutcomes(registry)
    for (let index = 0; index < 10_000; index++) {
      outcomes.ended(`M${index}`, `/${index}`, { status: 100 + (index % 900), whole: index % 2 === 0 })
    }
    expect((await linesOf('network_responses_total', registry)).length).toBeLessThanOrEqual(6)
    expect((await linesOf('network_errors_total', registry)).length).toBeLessThanOrEqual(22)
  })
})
