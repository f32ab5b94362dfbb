// Each of the guide's metrics (guide: Key Metrics to Monitor), moved by what it is about. docs/metrics.md names these tests.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { ailingThread } from '../support/ailing-thread.ts'
import { makeCertificate } from '../support/certificates.ts'
import { findPostgres, startPostgres } from '../support/postgres.ts'
import {
  ask,
  baseConfig,
  dial,
  eventually,
  freePort,
  here,
  runToEnd,
  start as startServer,
  startReady,
  untilStuck,
  useServers,
  type Running,
} from '../support/server-process.ts'

useServers()

const programs = await findPostgres()

const start = ({ more = '', server = '', security = '', env = {} } = {}) =>
  startReady({
    env,
    config: [
      `server: { host: 127.0.0.1, port: ${here.ports.server}, tls_port: ${here.ports.tls}, worker_threads: 2${server} }`,
      `metrics: { port: ${here.ports.metrics} }`,
      `security: { auth: none${security} }`,
      more,
      '',
    ].join('\n'),
  })

const scrape = async (): Promise<string> => (await ask('/metrics', here.ports.metrics)).body

const labelsOf = (given: string): string =>
  given
    .split(/,(?=\w+=")/)
    .sort()
    .join()

/** The value of a metric with exactly these labels, in any order; NaN where there is none. */
function valueIn(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = labelsOf(
    Object.entries(labels)
      .map(([key, one]) => `${key}="${one}"`)
      .join(),
  )
  const found = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))].find(
    ([, given = '']) => labelsOf(given) === wanted,
  )
  return Number(found?.[2])
}

const value = async (name: string, labels?: Readonly<Record<string, string>>): Promise<number> =>
  valueIn(await scrape(), name, labels)

/** The sum over all labels that fit a pattern. */
const sumIn = (text: string, name: string, labels = /./): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)

/** The service's own memory and limits, as the kernel tells everybody. */
const procOf = ({ child }: Running, name: string): string => readFileSync(`/proc/${child.pid ?? 0}/${name}`, 'utf8')

describe('system metrics', () => {
  it('CPU utilization per core: each core’s seconds go on, by mode', async () => {
    await start()
    const before = await scrape()
    const cores = new Set([...before.matchAll(/^network_cpu_seconds_total\{core="(\d+)"/gm)].map(([, core]) => core))
    expect(cores.size).toBe(readFileSync('/proc/stat', 'utf8').match(/^cpu\d+ /gm)?.length)
    await eventually(async () => {
      const now = await scrape()
      for (const core of cores) {
        const of = new RegExp(`core="${core ?? ''}"`)
        expect(sumIn(now, 'network_cpu_seconds_total', of)).toBeGreaterThan(
          sumIn(before, 'network_cpu_seconds_total', of),
        )
      }
      expect(valueIn(now, 'process_cpu_seconds_total')).toBeGreaterThan(valueIn(before, 'process_cpu_seconds_total'))
    })
  })

  it('memory usage: RSS and stack are the kernel’s, heap is that of all threads, beside their limits', async () => {
    const server = await start()
    const text = await scrape()
    const kilobytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(procOf(server, 'status'))?.[1])
    const rss = valueIn(text, 'network_memory_bytes', { kind: 'rss' })
    expect(Math.abs(rss / 1024 / kilobytes('VmRSS') - 1)).toBeLessThan(0.2)
    expect(valueIn(text, 'network_memory_bytes', { kind: 'stack' })).toBe(kilobytes('VmStk') * 1024)
    const heap = valueIn(text, 'network_memory_bytes', { kind: 'heap' })
    const threads = ['main', 'store', '0', '1'].map((thread) =>
      valueIn(text, 'network_heap_bytes', { thread, kind: 'used' }),
    )
    expect(Math.abs(heap / threads.reduce((sum, one) => sum + one, 0) - 1)).toBeLessThan(0.1)
    expect(valueIn(text, 'network_memory_limit_bytes')).toBeGreaterThan(rss)
  })

  it('network I/O: what a client sends and gets is in bytes and packets', async () => {
    await start()
    const before = await scrape()
    const wire = await dial()
    // More than everything else that this machine does meanwhile, in both directions.
    const head = `GET /${'x'.repeat(8000)} HTTP/1.1\r\nHost: x\r\n\r\n`
    wire.socket.write(head.repeat(250))
    await eventually(() => expect(wire.received().length).toBeGreaterThan(2e6))
    wire.socket.destroy()
    const now = await scrape()
    for (const direction of ['in', 'out']) {
      const grown = (name: string) => valueIn(now, name, { direction }) - valueIn(before, name, { direction })
      expect(grown('network_io_bytes_total')).toBeGreaterThan(4e6)
      expect(grown('network_io_packets_total')).toBeGreaterThan(50)
    }
  })

  it('disk I/O: what the service writes and reads', async () => {
    const server = await start()
    const io = () => Number(/^write_bytes: (\d+)$/m.exec(procOf(server, 'io'))?.[1])
    const [least, told, most] = [io(), await value('network_disk_io_bytes_total', { operation: 'write' }), io()]
    expect(least <= told && told <= most).toBe(true)
    expect(await value('network_disk_io_bytes_total', { operation: 'read' })).toBeGreaterThanOrEqual(0)
    expect(await value('network_disk_free_bytes', { place: 'data' })).toBeGreaterThan(0)
  })

  it('file descriptor usage: a connection is one more, and the limit is the process’s', async () => {
    const server = await start()
    const before = await value('process_open_fds')
    const wires = await Promise.all(Array.from({ length: 20 }, () => dial()))
    await eventually(async () => expect(await value('process_open_fds')).toBeGreaterThanOrEqual(before + 20))
    for (const { socket } of wires) socket.destroy()
    await eventually(async () => expect(await value('process_open_fds')).toBeLessThan(before + 20))
    const limit = /^Max open files +(\d+)/m.exec(procOf(server, 'limits'))?.[1]
    expect(await value('process_max_fds')).toBe(Number(limit))
  })
})

describe('application metrics', () => {
  it('active connections count: over all threads, beside the limit, and the requests at work', async () => {
    await start()
    const wires = await Promise.all(Array.from({ length: 8 }, () => dial()))
    await eventually(async () => expect(await value('network_connections_active')).toBe(8))
    for (const { socket } of wires.slice(0, 3)) socket.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Le')
    await eventually(async () => expect(await value('network_requests_active')).toBe(3))
    for (const { socket } of wires) socket.destroy()
    await eventually(async () => expect(await value('network_connections_active')).toBe(0))
    expect(await value('network_connections_limit')).toBe(1000)
  })

  it('request rate: each request is counted once, by method, route and status', async () => {
    await start()
    const before = await value('network_requests_total')
    for (let count = 0; count < 20; count += 1) await ask(count % 2 === 0 ? '/openapi.json' : `/${count}`)
    await ask('/v1/records/things/1?token=secret')
    const text = await scrape()
    expect(valueIn(text, 'network_requests_total')).toBeGreaterThanOrEqual(before + 21)
    expect(sumIn(text, 'network_responses_total', /route="other"/)).toBe(10)
    expect(sumIn(text, 'network_responses_total', /method="GET",route="\/openapi.json"/)).toBe(10)
    expect(sumIn(text, 'network_responses_total', /route="\/v1\/records\/\{collection\}\/\{key\}"/)).toBe(1)
    expect(text).not.toContain('secret')
  })

  it('response time: each request is in the histogram, with its seconds in the sum', async () => {
    await start()
    const before = await scrape()
    for (let count = 0; count < 10; count += 1) await ask('/health/live')
    const now = await scrape()
    const grown = (name: string, labels = {}) => valueIn(now, name, labels) - valueIn(before, name, labels)
    const all = grown('network_response_time_seconds_count')
    expect(all).toBeGreaterThanOrEqual(10)
    expect(grown('network_response_time_seconds_bucket', { le: '+Inf' })).toBe(all)
    expect(grown('network_response_time_seconds_bucket', { le: '30' })).toBe(all)
    expect(grown('network_response_time_seconds_sum')).toBeGreaterThan(0)
  })

  it('error rate by type: what clients do wrong, what could not be read, and who left', async () => {
    await start({ more: 'performance: { max_request_size: 10B, request_timeout_ms: 1000 }' })
    const errors = (type: string) => value('network_errors_total', { type })
    expect(await errors('not_found')).toBe(0)
    await ask('/x')
    const say = async (text: string) => {
      const wire = await dial()
      wire.socket.write(text)
      await wire.ended
    }
    await say('hello\r\n\r\n')
    await say('GET /health/live HTTP/1.1\r\nHo')
    await say(`POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n`)
    await say(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)
    const leaves = await dial()
    leaves.socket.write(
      'PUT /v1/records/a/b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
    )
    await eventually(async () => expect(await value('network_requests_active')).toBe(1))
    leaves.socket.destroy()
    await eventually(async () => {
      for (const type of ['not_found', 'aborted', 'broken_request', 'timeout', 'too_large', 'headers_too_large']) {
        expect(`${type} ${await errors(type)}`).toBe(`${type} 1`)
      }
    })
  })

  it('error rate by type: a health check that fails, with which one', async () => {
    await start()
    expect(await value('network_health_check', { check: 'database' })).toBe(1)
    const file = join(here.root, 'var/lib/network_system/state.db')
    await rename(file, `${file}.away`)
    await eventually(async () => expect(await value('network_health_check', { check: 'database' })).toBe(0))
    expect((await ask('/health')).status).toBe(503)
    const text = await scrape()
    expect(valueIn(text, 'network_errors_total', { type: 'unavailable' })).toBeGreaterThan(0)
    expect(valueIn(text, 'network_health_check_seconds', { check: 'disk' })).toBeGreaterThanOrEqual(0)
  })

  it('error rate by type: connections that are refused', async () => {
    await start({ server: ', max_connections: 2' })
    // Each is stuck in answers that its client does not take, so that none gives way.
    const row = Buffer.from(`GET /${'x'.repeat(12_000)} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(400))
    const stuck = [1, 2].map(() => connect(here.ports.server, '127.0.0.1').on('error', () => undefined))
    for (const socket of stuck) socket.write(row)
    await untilStuck()
    await eventually(async () => expect((await ask('/x')).status).toBe(503))
    const text = await scrape()
    const refused = valueIn(text, 'network_connections_refused_total')
    expect(refused).toBeGreaterThan(0)
    expect(valueIn(text, 'network_errors_total', { type: 'refused' })).toBe(refused)
    expect(valueIn(text, 'network_errors_total', { type: 'unavailable' })).toBeGreaterThan(0)
    for (const socket of stuck) socket.destroy()
  })

  it('checkpoints: none are told of where the database takes its own copies, or an alert would wait for one for ever', async () => {
    // Nobody answers there, which is all the same.
    const database = `database: { driver: postgres, host: 127.0.0.1, port: ${await freePort()} }`
    const server = await startServer({ config: `${baseConfig()}${database}\n` })
    await server.logged('listening')
    const text = await scrape()
    expect(text).toContain('# TYPE network_checkpoint_last_success_timestamp_seconds gauge\n')
    expect(text.match(/^network_checkpoint.*$/gm)).toBeNull()
  })

  it('connection pool utilization: without a pool its limit is 0, and nothing is in it', async () => {
    await start()
    const text = await scrape()
    expect(valueIn(text, 'network_pool_connections_limit')).toBe(0)
    expect(text).toContain('# TYPE network_pool_connections gauge\n')
  })

  it.skipIf(programs === undefined)(
    'connection pool utilization: in use, idle and waited for, beside the limit',
    async () => {
      const postgres = await startPostgres(programs ?? '')
      const database = `host: 127.0.0.1, port: ${postgres.port}, name: postgres, user: postgres, pool_size: 3, pool_min_idle: 1`
      await start({ more: `database: { driver: postgres, ${database} }` })
      const put = (key: number) =>
        fetch(`http://127.0.0.1:${here.ports.server}/v1/records/things/${key}`, {
          ...{ method: 'PUT', headers: { 'content-type': 'application/json' }, body: '1' },
        }).then(({ status }) => status)
      expect(await put(0)).toBe(201)
      const blocker = new Client({ host: '127.0.0.1', port: postgres.port, user: 'postgres', database: 'postgres' })
      await blocker.connect()
      await blocker.query('BEGIN')
      await blocker.query('LOCK TABLE network_service.records IN ACCESS EXCLUSIVE MODE')
      const writes = Array.from({ length: 8 }, (_, index) => put(index + 1))
      const connections = (text: string) =>
        ['in_use', 'waiting'].map((state) => valueIn(text, 'network_pool_connections', { state }))
      await eventually(async () => {
        const text = await scrape()
        const [inUse, waiting] = connections(text)
        expect(inUse).toBe(3)
        expect(waiting).toBeGreaterThanOrEqual(5)
        expect(valueIn(text, 'network_queue_depth', { queue: 'store' })).toBe(waiting)
        expect(valueIn(text, 'network_pool_connections_limit')).toBe(3)
      })
      await blocker.query('ROLLBACK')
      await blocker.end()
      expect(await Promise.all(writes)).toEqual(writes.map(() => 201))
      await eventually(async () => {
        const text = await scrape()
        expect(connections(text)).toEqual([0, 0])
        expect(valueIn(text, 'network_pool_connections', { state: 'idle' })).toBeGreaterThan(0)
      })
      await postgres.stop()
    },
  )

  it.skipIf(programs === undefined)(
    'connection pool utilization: replicas that are read from, and one that is away',
    async () => {
      const postgres = await startPostgres(programs ?? '')
      const replicas = await Promise.all([postgres.replica(), postgres.replica()])
      const addresses = replicas.map(({ port }) => `"127.0.0.1:${port}"`).join()
      const database = `host: 127.0.0.1, port: ${postgres.port}, name: postgres, user: postgres, read_replicas: [${addresses}]`
      await start({ more: `database: { driver: postgres, ${database} }` })
      const counted = async () => {
        const text = await scrape()
        return ['used', 'left_out'].map((state) => valueIn(text, 'network_store_replicas', { state }))
      }
      await eventually(async () => expect(await counted()).toEqual([2, 0]))
      await replicas[0].halt()
      await eventually(async () => expect(await counted()).toEqual([1, 1]))
      await replicas[0].resume()
      await eventually(async () => expect(await counted()).toEqual([2, 0]))
      await Promise.all(replicas.map((replica) => replica.stop()))
      await postgres.stop()
    },
  )

  it('message queue depth: what waits for the database, and what it has done', async () => {
    await start()
    expect(await value('network_queue_depth', { queue: 'store' })).toBe(0)
    const before = await scrape()
    // The check of the database is a write.
    await eventually(async () => {
      const now = await scrape()
      for (const name of ['writes', 'commits', 'commit_seconds']) {
        const full = `network_store_${name}_total`
        expect(valueIn(now, full)).toBeGreaterThan(valueIn(before, full))
      }
    })
  })
})

describe('beside the guide’s', () => {
  it('threads: how many run, how busy and how late each is', async () => {
    await start()
    await eventually(async () => {
      const text = await scrape()
      expect(valueIn(text, 'network_threads', { kind: 'serving' })).toBe(2)
      expect(valueIn(text, 'network_thread_deaths_total')).toBe(0)
      expect(valueIn(text, 'network_threads_silent')).toBe(0)
      for (const thread of ['main', 'store', '0', '1']) {
        expect(valueIn(text, 'network_event_loop_seconds_total', { thread, state: 'idle' })).toBeGreaterThan(0)
        expect(valueIn(text, 'network_event_loop_lag_seconds_count', { thread })).toBeGreaterThan(0)
      }
    })
  })

  it('threads: one that stands still is silent, and what it counted stays', async () => {
    const { env, stun } = ailingThread()
    await start({ env })
    await Promise.all(Array.from({ length: 20 }, () => ask('/health/live')))
    await eventually(async () => expect(await value('network_threads_silent')).toBe(0))
    const before = await value('network_requests_total')
    stun(true)
    await eventually(async () => expect(await value('network_threads_silent')).toBe(1))
    expect(await value('network_requests_total')).toBeGreaterThanOrEqual(before)
    stun(false)
    await eventually(async () => expect(await value('network_threads_silent')).toBe(0))
  })

  it('threads: one that dies is counted while the others end what they are at', async () => {
    const { env, kill } = ailingThread()
    const server = await start({ env })
    // Each thread has some that are not whole: the process waits for them.
    const wires = await Promise.all(Array.from({ length: 20 }, () => dial()))
    for (const { socket } of wires) socket.write('GET /health/live HTTP/1.1\r\nHo')
    await eventually(async () => expect(await value('network_requests_active')).toBe(20))
    kill()
    await eventually(async () => {
      const text = await scrape()
      expect(valueIn(text, 'network_thread_deaths_total')).toBe(1)
      expect(valueIn(text, 'network_threads', { kind: 'serving' })).toBe(1)
    })
    for (const { socket } of wires) socket.destroy()
    expect(await server.exit).toBe(1)
  })

  it('certificate expiry: the end that stands in the certificate that is served', async () => {
    const { cert } = makeCertificate(join(here.root, 'tls'), 'server', { days: 40 })
    await start({ security: ', ssl_enabled: true, cert_file: /tls/server.crt, key_file: /tls/server.key' })
    const end = new X509Certificate(readFileSync(cert)).validToDate.getTime() / 1000
    expect(await value('network_certificate_expiry_timestamp_seconds', { certificate: 'server' })).toBe(end)
  })

  it('logs: their lines by level, and an output that takes none', async () => {
    const nobody = `tcp://127.0.0.1:${await freePort()}`
    await start({ more: `logging: { outputs: [{ type: console }, { type: syslog, address: "${nobody}" }] }` })
    const text = await scrape()
    expect(valueIn(text, 'network_log_lines_total', { log: 'server', level: 'INFO' })).toBeGreaterThan(1)
    expect(text).toMatch(/^network_log_output_failing\{output="standard output"\} 0$/m)
    expect(text).toMatch(/^network_log_lines_dropped_total\{output="threads"\} 0$/m)
    await eventually(async () => expect(await value('network_log_output_failing', { output: nobody })).toBe(1))
  })

  it('state: release, role, maintenance and the last checkpoint', async () => {
    await start()
    const text = await scrape()
    expect(text).toMatch(/^network_build_info\{version=".+",commit=".+",release=".+"\} 1$/m)
    expect(Math.abs(valueIn(text, 'process_start_time_seconds') - Date.now() / 1000)).toBeLessThan(60)
    expect(valueIn(text, 'network_role', { role: 'primary' })).toBe(1)
    expect(valueIn(text, 'network_maintenance')).toBe(0)
    expect(valueIn(text, 'network_checkpoint_interval_seconds')).toBe(3600)
    expect(runToEnd(['role', 'standby', '--root', here.root])).toMatchObject({ status: 0 })
    expect(runToEnd(['checkpoint', '--root', here.root])).toMatchObject({ status: 0 })
    const folder = join(here.root, 'var/run/network_service')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'maintenance'), 'true\n')
    await eventually(async () => {
      const now = await scrape()
      expect(valueIn(now, 'network_role', { role: 'standby' })).toBe(1)
      expect(valueIn(now, 'network_role', { role: 'primary' })).toBe(0)
      expect(valueIn(now, 'network_maintenance')).toBe(1)
      const taken = valueIn(now, 'network_checkpoint_last_success_timestamp_seconds')
      expect(Math.abs(taken - Date.now() / 1000)).toBeLessThan(60)
      expect(valueIn(now, 'network_checkpoint_last_size_bytes')).toBeGreaterThan(0)
      expect(valueIn(now, 'network_checkpoint_last_duration_seconds')).toBeGreaterThan(0)
      expect(valueIn(now, 'network_checkpoint_failures_total')).toBe(0)
    })
  })
})
