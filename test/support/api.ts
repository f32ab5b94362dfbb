// The HTTP interface with a store in memory, in the process of a test, and requests over real connections.
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { Agent as TlsAgent, request as requestOverTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createApp, type AppOptions } from '../../src/server/app.ts'
import { sharedBudget } from '../../src/server/bodies.ts'
import { answerBudget } from '../../src/server/records/large-answers.ts'
import { trackConnections } from '../../src/server/connections.ts'
import { createPlaces } from '../../src/server/places.ts'
import { readServerConfig } from '../../src/config/server-config.ts'
import { aloneCrowd } from '../../src/server/threads/crowd.ts'
import { createSharedMemory, openShared } from '../../src/server/threads/shared.ts'
import { memoryStore, type MemoryStore } from './memory-store.ts'
import { atWork } from './standing.ts'

export interface ApiOptions {
  /** Its `config.yaml`. */
  readonly config?: string
  readonly tokens?: AppOptions['tokens']
  readonly store?: MemoryStore
  /** Receives what the service logs as an error: a fault of its own. */
  readonly onError?: (about: unknown) => void
  /** What large answers may hold, in bytes. */
  readonly mostAnswers?: number
}

export interface Api extends AsyncDisposable {
  readonly port: number
  readonly store: MemoryStore
  readonly ask: (asked: Asked) => Promise<Told>
}

export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
}

export interface Told {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const nobody = () => undefined

/** Starts it on a free port. */
export async function startApi(options: ApiOptions = {}): Promise<Api> {
  const store = options.store ?? memoryStore()
  const places = createPlaces({
    ...{ most: 50, reserved: 2, crowd: aloneCrowd(), onGivenUp: nobody, onRefused: nobody },
  })
  const checks = { database: true, memory: true, disk: true, network: true }
  const took = { duration_ms: 1 }
  const details = { database: took, memory: took, disk: took, network: took }
  const config = readServerConfig(options.config ?? '', 'config.yaml').value
  const shared = openShared(createSharedMemory(1))
  const { plain } = await createApp({
    ...{ config, places, store, tls: undefined, tokens: options.tokens, version: '1.0.0', release: 'r' },
    health: { read: () => Promise.resolve({ healthy: true, status: 'healthy', checks, details }) },
    bodies: sharedBudget(shared, 64 * 2 ** 20),
    answers: answerBudget(shared, options.mostAnswers ?? 64 * 2 ** 20),
    standing: atWork,
    activity: { phase: () => 'serving', requests: () => 1, open: () => 1 },
    logger: { error: options.onError ?? nobody },
  })
  const connections = trackConnections([plain], {
    places,
    stalledMs: config.performance.request_timeout_ms,
    onRequestEnd: nobody,
  })
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  const { port } = plain.address() as AddressInfo
  const { ask, close } = client(port)
  return {
    ...{ port, store, ask },
    async [Symbol.asyncDispose]() {
      close()
      await connections.drain({ lingerMs: 0, drainMs: 1000 })
    },
  }
}

/**
 * Asks a server on this machine, over connections that are kept.
 * @param ca the certificate to trust, where the port speaks TLS
 */
export function client(port: number, ca?: Buffer): { readonly ask: Api['ask']; readonly close: () => void } {
  const kept = { keepAlive: true, maxSockets: 8 }
  const agent = ca === undefined ? new Agent(kept) : new TlsAgent({ ...kept, ca })
  return { ask: (asked) => send(port, agent, asked), close: () => agent.destroy() }
}

const send = (port: number, agent: Agent, { path, method = 'GET', headers = {}, body }: Asked): Promise<Told> =>
  new Promise((resolve, reject) => {
    const over = agent instanceof TlsAgent ? requestOverTls : request
    const sent = over({ host: '127.0.0.1', port, path, method, headers: headers as never, agent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
