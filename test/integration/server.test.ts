// network_server as its clients see it: health, metrics, problems, limits.
import { copyFile, link, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { ask, dial, eventually, here, received, start, startReady, useServers } from '../support/server-process.ts'

useServers()

describe('health', () => {
  it('is told in the guide’s shape, and live and ready with the release', async () => {
    await startReady({ env: { NETWORK_RELEASE: '1.2.3-abc' } })
    const health = await ask('/health')
    expect(health.status).toBe(200)
    expect(health.headers['content-type']).toMatch(/^application\/json/)
    const { details, ...guide } = JSON.parse(health.body) as Record<string, unknown>
    expect(JSON.stringify(guide)).toBe(
      '{"healthy":true,"status":"healthy","checks":{"database":true,"memory":true,"disk":true,"network":true}}',
    )
    const took = { duration_ms: expect.any(Number) as number }
    expect(details).toEqual({ database: took, memory: took, disk: took, network: took })
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: '{"live":true}' })
    const ready = await ask('/health/ready')
    expect(ready).toMatchObject({ status: 200, headers: { 'x-release': '1.2.3-abc' } })
    expect(JSON.parse(ready.body)).toEqual({
      ready: true,
      release: '1.2.3-abc',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      role: 'primary',
      // Connections of the requests before may not have ended yet.
      ...{ active_requests: expect.any(Number) as number, active_connections: expect.any(Number) as number },
    })
  })

  it('names the folder below releases/ that the executable lies in as the release', async () => {
    const folder = join(here.root, 'opt/network_system/releases/4.5.6-0123456789ab')
    await mkdir(folder, { recursive: true })
    const program = inject('builds').server1
    const installed = join(folder, 'network_server')
    await link(program, installed).catch(() => copyFile(program, installed)) // another file system has no hard link
    await startReady({ program: installed, env: { NETWORK_RELEASE: 'ignored' } })
    expect((await ask('/health/ready')).headers['x-release']).toBe('4.5.6-0123456789ab')
  })

  it('turns to 503 when the database is gone, with not ready, and back when it is there again', async () => {
    const server = await startReady()
    const file = join(here.root, 'var/lib/network_system/state.db')
    await rename(file, `${file}.away`)
    await eventually(async () => {
      expect(await ask('/health')).toMatchObject({
        status: 503,
        body: expect.stringContaining(
          '{"healthy":false,"status":"unhealthy","checks":{"database":false,"memory":true,"disk":true,"network":true},',
        ) as string,
      })
    })
    expect(await ask('/health/ready')).toMatchObject({ status: 503 })
    expect(JSON.parse((await ask('/health/ready')).body)).toMatchObject({ ready: false })
    expect(await ask('/health/live')).toMatchObject({ status: 200 })
    expect(server.lines()).toContainEqual(
      expect.objectContaining({ level: 'ERROR', check: 'database', msg: expect.stringContaining('ENOENT') as string }),
    )
    await rename(`${file}.away`, file)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 200 }))
    expect(await ask('/health/ready')).toMatchObject({ status: 200 })
  })

  it('is not ready, but live, while the data folder cannot be made, and gets ready once it can', async () => {
    await writeFile(join(here.root, 'var'), 'a file where a folder should be')
    const server = await start()
    await server.logged('listening')
    expect(await ask('/health/live')).toMatchObject({ status: 200 })
    expect(await ask('/health/ready')).toMatchObject({ status: 503 })
    expect(await ask('/health')).toMatchObject({
      status: 503,
      body: expect.stringContaining('"database":false') as string,
    })
    await rm(join(here.root, 'var'))
    await server.logged('ready')
    expect(await ask('/health/ready')).toMatchObject({ status: 200 })
  })
})

describe('other addresses', () => {
  it('have /metrics on a port of its own, in Prometheus’ text format with the guide’s names', async () => {
    await startReady()
    for (let count = 0; count < 3; count++) await ask('/health/live')
    expect(await ask('/metrics')).toMatchObject({ status: 404 })
    const metrics = await ask('/metrics', here.ports.metrics)
    expect(metrics.status).toBe(200)
    expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    const wanted = [
      '# HELP network_connections_active Active connection count\n# TYPE network_connections_active gauge\nnetwork_connections_active ',
      '# HELP network_requests_total Total request count\n# TYPE network_requests_total counter\nnetwork_requests_total ',
      // Beside the checks of health, which the server asks itself.
      '\nnetwork_responses_total{method="GET",route="other",status="4xx"} 1\n',
      '# HELP network_response_time_seconds Response time histogram\n# TYPE network_response_time_seconds histogram\nnetwork_response_time_seconds_bucket{le=',
      '\nnetwork_response_time_seconds_count ',
      'network_build_info{version="',
      'process_resident_memory_bytes ',
    ]
    for (const part of wanted) expect(metrics.body).toContain(part)
    expect(await ask('/health', here.ports.metrics)).toMatchObject({ status: 404 })
  })

  it('count open connections', async () => {
    await startReady()
    const wires = [await dial(), await dial()]
    await eventually(async () =>
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_active 2\n'),
    )
    for (const { socket } of wires) socket.destroy()
    await eventually(async () =>
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_active 0\n'),
    )
  })

  it('are answered with a problem', async () => {
    await startReady()
    const answer = await ask('/no/such?token=x')
    expect(answer.status).toBe(404)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'nothing is served at GET /no/such',
      request_id: answer.headers['x-request-id'],
    })
  })

  it('answer bytes that are no HTTP with a problem too', async () => {
    await startReady()
    const wire = await dial()
    wire.socket.write('hello\r\n\r\n')
    await wire.ended
    expect(wire.received()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/)
  })
})

describe('limits of the configuration', () => {
  const limited = (performance: string, server = '') =>
    start({
      config: `server: { host: 127.0.0.1, port: ${here.ports.server}${server} }\nmetrics: { port: ${here.ports.metrics} }\nsecurity: { auth: none }\nperformance: { ${performance} }\n`,
    }).then(async (started) => {
      await started.logged('ready')
      return started
    })

  it('refuse a body above max_request_size', async () => {
    await limited('max_request_size: 1000B')
    const head = 'POST /x HTTP/1.1\r\nHost: x\r\n'
    const announced = await dial()
    announced.socket.write(`${head}Content-Length: 1001\r\n\r\n`)
    await received(announced, 'HTTP/1.1 413 ')
    const fitting = await dial()
    fitting.socket.write(`${head}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`)
    await received(fitting, 'HTTP/1.1 404 ')
    for (const { socket } of [announced, fitting]) socket.destroy()
  })

  it('end a request that takes longer than request_timeout_ms to arrive', async () => {
    await limited('request_timeout_ms: 500')
    const wire = await dial()
    const started = performance.now()
    wire.socket.write('GET /x HTTP/1.1\r\nHo')
    await wire.ended
    expect(wire.received()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
    expect(performance.now() - started).toBeGreaterThan(490)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('close a kept connection after keep_alive_timeout_ms', async () => {
    await limited('keep_alive_timeout_ms: 300')
    const wire = await dial()
    wire.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(wire, '{"live":true}')
    const answered = performance.now()
    await wire.ended
    expect(performance.now() - answered).toBeGreaterThan(250)
    expect(performance.now() - answered).toBeLessThan(10_000)
  })

  it('close the connection that has sent nothing for longest when more than max_connections are open', async () => {
    await limited('request_timeout_ms: 30000', ', max_connections: 2')
    const wires = [await dial(), await dial()]
    await eventually(async () =>
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_active 2\n'),
    )
    expect(await ask('/x')).toMatchObject({ status: 404 })
    await wires[0]?.ended
    expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_given_up_total 1\n')
    expect(wires[1]?.socket.destroyed).toBe(false)
    wires[1]?.socket.destroy()
  })
})
