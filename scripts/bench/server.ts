// `bench -- server`: our server with everything on (tokens verified, access log, metrics, records on SQLite) beside bare
// Fastify, node:http and nginx with the same bytes in the same rounds; then writes, and what grows with records and
// connections (server-growth.ts).
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exec } from '../../src/system/exec.ts'
import { aimOf, aimText, figures, machine, load as loadNow, table, type Figures } from './figures.ts'
import { freshServer, pinnedNode } from './netops.ts'
import { growth } from './server-growth.ts'
import { authorization, serveBare, serveNginx, serveOurs, type Served } from './served.ts'
import { syncsPerSecond } from './syncs.ts'
import { wrk, writingScript, type Load } from './wrk.ts'

const usualRounds = 5
const seconds = 4
const connections = 64
const warmUpSeconds = 2
const record = JSON.stringify({ name: 'bench', text: 'x'.repeat(200), numbers: [1, 2, 3, 4] })
const written = 10_000
// The project's aim: a record is read at least 0.7 times as fast as bare Fastify answers with the same bytes.
const leastShare = 0.7

interface Wish {
  readonly json: boolean
  readonly only: string | undefined
  readonly rounds: number | undefined
}

interface Job {
  readonly what: string
  readonly of: Served
  readonly path: string
  readonly script?: string
}

interface Result {
  readonly what: string
  readonly server: string
  readonly perSecond: Figures
  readonly p99Ms: Figures
  readonly failed: number
}

/** Measures and prints; `only` is `contest` or `growth`. */
export async function server({ json, only, rounds = usualRounds }: Wish): Promise<void> {
  for (const program of ['wrk', 'nginx']) await mustBeThere(program)
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  const stopping = new AbortController()
  const onSignal = () => stopping.abort()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal)
  try {
    if (only !== 'growth') await contest({ folder, rounds, json, signal: stopping.signal })
    if (only !== 'contest') await growth({ folder, json, signal: stopping.signal })
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('stopped')
    process.exitCode = 130
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Place {
  readonly folder: string
  readonly rounds: number
  readonly json: boolean
  readonly signal: AbortSignal
}

async function contest({ folder, rounds, json, signal }: Place): Promise<void> {
  const program = await freshServer()
  const node = (await pinnedNode()).file
  const body = join(folder, 'record.json')
  await writeFile(body, record)
  const running: Served[] = []
  const begin = async (start: () => Promise<Served>): Promise<Served> => {
    const one = await start()
    running.push(one)
    return one
  }
  const before = loadNow()
  try {
    const headers = { Authorization: authorization() }
    const script = await writingScript(folder, written, record)
    const ours: Served[] = []
    for (const threads of [1, 2]) {
      const root = await mkdtemp(join(folder, 'root-'))
      const one = await begin(() => serveOurs({ program, folder: root, threads }))
      const answer = await fetch(`http://127.0.0.1:${one.port}/v1/records/bench/k`, {
        ...{ method: 'PUT', body: record, headers: { ...headers, 'content-type': 'application/json' } },
      })
      if (answer.status !== 201) throw new Error(`the record was not written: ${answer.status}`)
      ours.push(one)
    }
    const peers: Served[] = []
    for (const threads of [1, 2]) {
      peers.push(await begin(() => serveBare('fastify', node, body, threads)))
      peers.push(await begin(() => serveBare('http', node, body, threads)))
      peers.push(await begin(() => serveNginx(folder, body, threads)))
    }
    const jobs: readonly Job[] = [
      ...ours.flatMap((of): Job[] => [
        { what: 'GET a record', of, path: '/v1/records/bench/k' },
        { what: 'GET /health', of, path: '/health' },
        { what: 'PUT a record', of, path: '/', script },
      ]),
      ...peers.map((of): Job => ({ what: 'GET the same bytes', of, path: '/' })),
    ]
    const results = await measure(jobs, { rounds, headers, signal })
    const sharing = await Promise.all(ours.map(writesPerSync))
    const syncs = await syncsPerSecond(folder)
    const on = { ...machine(), load: { before, after: loadNow() } }
    if (json) {
      const document = { schema: 'netops/bench/v1', benchmark: 'server', ...on, rounds, seconds, connections }
      console.log(JSON.stringify({ ...document, results, sharing, syncs }))
      return
    }
    console.log(
      `${rounds} interleaved rounds of ${seconds} s, ${connections} connections by wrk on one processor, Node ${on.node}, ${on.processors}, load average ${before} before and ${on.load.after} after\n`,
    )
    const fastify = (threads: string) => results.find(({ server: name }) => name === `Fastify, ${threads}`)
    const rows = results.map(({ what, server: name, perSecond, p99Ms, failed }) => {
      const peer = fastify(name.endsWith('2 threads') || name.endsWith('2 workers') ? '2 threads' : '1 thread')
      const ratio = perSecond.median / (peer?.perSecond.median ?? Number.NaN)
      return [`${what}, ${name}`, perSecond.median.toFixed(0), ratio.toFixed(2), p99Ms.median.toFixed(1), `${failed}`]
    })
    console.log(table(['', 'requests/s, median', 'x Fastify', 'p99, ms', 'failed'], rows))
    console.log(`\n${syncs.toFixed(0)} syncs of a file a second by one writer on this disk; writes that shared one:`)
    for (const [at, one] of ours.entries()) console.log(`  ${one.name}: ${sharing[at]?.toFixed(1) ?? '?'}`)
    console.log()
    for (const threads of ['1 thread', '2 threads']) {
      const own = results.find(({ what, server: name }) => what === 'GET a record' && name.endsWith(threads))
      const ratio = (fastify(threads)?.perSecond.median ?? Number.NaN) / (own?.perSecond.median ?? Number.NaN)
      const aim = `get-record-beside-fastify-${threads.replace(' ', '-')}`
      console.log(aimText(aimOf(aim, ratio, Math.round(100 / leastShare) / 100)))
    }
  } finally {
    await Promise.all(running.map((one) => one.stop()))
  }
}

interface Measuring {
  readonly rounds: number
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

async function measure(jobs: readonly Job[], { rounds, headers, signal }: Measuring): Promise<readonly Result[]> {
  const samples = new Map<Job, Load[]>(jobs.map((job) => [job, []]))
  for (let round = 0; round <= rounds; round += 1) {
    const first = round % jobs.length
    for (const job of [...jobs.slice(first), ...jobs.slice(0, first)]) {
      const url = `http://127.0.0.1:${job.of.port}${job.path}`
      const took = round === 0 ? warmUpSeconds : seconds
      const load = await wrk({ url, seconds: took, connections, headers, script: job.script, signal })
      if (round > 0) samples.get(job)?.push(load)
      console.error(
        `${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}: ${job.what}, ${job.of.name}: ${load.perSecond.toFixed(0)}/s`,
      )
    }
  }
  return jobs.map((job) => {
    const taken = samples.get(job) ?? []
    return {
      what: job.what,
      server: job.of.name,
      perSecond: figures(taken.map(({ perSecond }) => perSecond)),
      p99Ms: figures(taken.map(({ p99Ms }) => p99Ms)),
      failed: taken.reduce((sum, { failed }) => sum + failed, 0),
    }
  })
}

async function writesPerSync({ metricsPort }: Served): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  return value('network_store_writes_total') / value('network_store_commits_total')
}

async function mustBeThere(program: string): Promise<void> {
  const { code } = await exec(['sh', '-c', 'command -v "$1"', 'sh', program])
  if (code !== 0) throw new Error(`${program} is needed: apt-get install ${program}`)
}
