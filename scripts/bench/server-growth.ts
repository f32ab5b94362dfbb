// What grows with records and with connections: memory of the server, and how long it takes to read and to write.
import { mkdtemp } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { machine, table } from './figures.ts'
import { freshServer } from './netops.ts'
import { authorization, serveOurs, type Served } from './served.ts'
import { wrk, writingScript } from './wrk.ts'

const records = [10_000, 100_000, 1_000_000]
const connectionCounts = [100, 1000, 10_000]
const threads = 2
const seconds = 4
const loadConnections = 16
const value = JSON.stringify({ name: 'bench', text: 'x'.repeat(200) })
// More writes than this at once only wait in our own process.
const dialledAtOnce = 200

interface Place {
  readonly folder: string
  readonly json: boolean
  readonly signal: AbortSignal
}

interface Row {
  readonly what: string
  readonly residentMegabytes: number
  readonly get: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number }
  readonly put: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number }
}

export async function growth({ folder, json, signal }: Place): Promise<void> {
  const program = await freshServer()
  const rows: Row[] = []
  for (const count of records) {
    const root = await mkdtemp(join(folder, 'grown-'))
    await withServer({ program, folder: root, threads }, async (one) => {
      await fill(join(root, 'var/lib/network_system/state.db'), count)
      rows.push(await measure(`${count} records`, { one, count, folder: root, signal }))
    })
  }
  for (const count of connectionCounts) {
    const root = await mkdtemp(join(folder, 'grown-'))
    const most = count + 2 * loadConnections
    await withServer({ program, folder: root, threads, connections: most }, async (one) => {
      await fill(join(root, 'var/lib/network_system/state.db'), 1000)
      const sockets = await dialMany(one.port, count)
      try {
        rows.push(await measure(`${count} idle connections`, { one, count: 1000, folder: root, signal }))
      } finally {
        for (const socket of sockets) socket.destroy()
      }
    })
  }
  if (json) {
    console.log(JSON.stringify({ schema: 'netops/bench/v1', benchmark: 'server-growth', ...machine(), threads, rows }))
    return
  }
  console.log(`\n${threads} threads, ${loadConnections} connections by wrk for ${seconds} s\n`)
  const head = ['', 'memory, MB', 'GET/s', 'GET p50, ms', 'GET p99, ms', 'PUT/s', 'PUT p50, ms', 'PUT p99, ms']
  console.log(
    table(
      head,
      rows.map(({ what, residentMegabytes, get, put }) => [
        ...[what, residentMegabytes.toFixed(0)],
        ...[get, put].flatMap(({ perSecond, p50Ms, p99Ms }) => [
          ...[perSecond.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2)],
        ]),
      ]),
    ),
  )
}

async function withServer(wish: Parameters<typeof serveOurs>[0], job: (one: Served) => Promise<void>): Promise<void> {
  const one = await serveOurs(wish)
  try {
    await job(one)
  } finally {
    await one.stop()
  }
}

/** Writes records as the server itself does, but all in a few transactions. */
async function fill(file: string, count: number): Promise<void> {
  const database = new DatabaseSync(file, { timeout: 10_000 })
  try {
    const columns = database.prepare("SELECT name FROM pragma_table_info('records')").all()
    if (columns.length === 0) throw new Error(`${file} has no table of records`)
    const insert = database.prepare(
      'INSERT INTO records (collection, key, value, version, updated_ms) VALUES (?, ?, ?, ?, ?)',
    )
    for (let done = 0; done < count;) {
      database.exec('BEGIN IMMEDIATE')
      for (const end = Math.min(done + 10_000, count); done < end; done += 1) {
        insert.run('bench', `k${done}`, value, done + 1, 0)
      }
      database.exec('COMMIT')
    }
  } finally {
    database.close()
  }
  await Promise.resolve()
}

async function dialMany(port: number, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(dialledAtOnce, count - sockets.length) }, () => dial(port))
    sockets.push(...(await Promise.all(some)))
  }
  return sockets
}

const dial = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })

interface Measured {
  readonly one: Served
  readonly count: number
  readonly folder: string
  readonly signal: AbortSignal
}

async function measure(what: string, { one, count, folder, signal }: Measured): Promise<Row> {
  const headers = { Authorization: authorization() }
  const url = `http://127.0.0.1:${one.port}`
  const load = { seconds, connections: loadConnections, headers, signal }
  const get = await wrk({ ...load, url: `${url}/v1/records/bench/k${Math.floor(count / 2)}` })
  const put = await wrk({ ...load, url, script: await writingScript(folder, count, value) })
  if (get.failed + put.failed > 0) throw new Error(`${what}: ${get.failed} reads and ${put.failed} writes failed`)
  console.error(`${what}: GET ${get.perSecond.toFixed(0)}/s, PUT ${put.perSecond.toFixed(0)}/s`)
  return { what, residentMegabytes: (await one.resident()) / 1e6, get, put }
}
