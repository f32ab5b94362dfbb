// Servers for `bench -- server`: ours with everything on, and its peers with the same bytes; each on a port of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeToken } from '../../test/support/json-web-token.ts'
import { freePorts } from '../../test/support/server-process.ts'

export interface Served {
  readonly name: string
  readonly port: number
  /** Its own, for figures; undefined for peers. */
  readonly metricsPort: number | undefined
  /** Resident memory now, of all its processes, in bytes. */
  readonly resident: () => Promise<number>
  readonly stop: () => Promise<void>
}

const key = 'a key of benchmarks, long enough for HS256'

/** What requests to our server must carry. */
export const authorization = (): string => `Bearer ${makeToken({ key })}`

interface ServerWish {
  readonly program: string
  readonly folder: string
  readonly threads: number
  readonly connections?: number
}

/** Our server: tokens, access log, metrics, records on SQLite. */
export async function serveOurs({ program, folder, threads, connections = 1000 }: ServerWish): Promise<Served> {
  const [port = 0, metricsPort = 0] = await freePorts(2)
  const file = join(folder, 'config.yaml')
  const config = {
    server: { host: '127.0.0.1', port, worker_threads: threads, max_connections: connections },
    metrics: { port: metricsPort },
    auth: { jwt_secret: key },
    logging: { outputs: [{ type: 'file', path: '/var/log/network/server.log' }] },
  }
  await writeFile(file, JSON.stringify(config))
  const child = start([program, '--config', file, '--root', folder])
  return served(`network_server, ${threadsText(threads)}`, { port, metricsPort, child })
}

/** @param body the file with what it answers */
export async function serveBare(library: 'fastify' | 'http', node: string, body: string, threads: number) {
  const [port = 0] = await freePorts(1)
  const program = join(import.meta.dirname, 'programs', 'bare-http.ts')
  const words = ['--disable-warning=ExperimentalWarning', program, library, String(port), String(threads), body]
  const name = library === 'http' ? 'node:http' : 'Fastify'
  return served(`${name}, ${threadsText(threads)}`, { port, metricsPort: undefined, child: start([node, ...words]) })
}

/** nginx that answers from its configuration: the least that a server can do. */
export async function serveNginx(folder: string, body: string, workers: number): Promise<Served> {
  const [port = 0] = await freePorts(1)
  const text = (await readFile(body, 'utf8')).replace(/[\\']/g, '\\$&')
  const file = join(folder, `nginx-${workers}.conf`)
  await writeFile(
    file,
    `daemon off; master_process on; worker_processes ${workers}; pid ${join(folder, `nginx-${workers}.pid`)};
error_log stderr crit; events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server { listen 127.0.0.1:${port} reuseport; location / { add_header ETag '"1"'; return 200 '${text}'; } } }\n`,
  )
  const name = `nginx, ${workers} ${workers === 1 ? 'worker' : 'workers'}`
  return served(name, { port, metricsPort: undefined, child: start(['nginx', '-e', 'stderr', '-c', file]) })
}

const threadsText = (threads: number): string => `${threads} ${threads === 1 ? 'thread' : 'threads'}`

const start = ([file = '', ...words]: readonly string[]): ChildProcess =>
  spawn(file, words, { stdio: ['ignore', 'ignore', 'inherit'] })

interface Started {
  readonly port: number
  readonly metricsPort: number | undefined
  readonly child: ChildProcess
}

const patience = 200
const pauseMs = 50

async function served(name: string, { port, metricsPort, child }: Started): Promise<Served> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  for (let tried = 0; ; tried += 1) {
    const status = await fetch(`http://127.0.0.1:${port}/health/ready`).then(
      async (answer) => (await answer.arrayBuffer(), answer.status),
      () => 0,
    )
    if (status === 200) break
    if (tried === patience || child.exitCode !== null) {
      await stop()
      throw new Error(`${name} does not answer on port ${port}`)
    }
    await sleep(pauseMs)
  }
  return { name, port, metricsPort, stop, resident: () => residentOf(child.pid ?? 0) }
}

// proc(5): VmRSS, in units of 1,024 bytes.
const residentOf = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
