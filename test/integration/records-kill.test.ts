// The executable is killed while clients write: what it has answered for is there.
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { ask, here, startReady, useServers } from '../support/server-process.ts'
import { valueAfter, writers } from '../support/store-program.ts'

useServers()

const kills = process.env.NETOPS_ENDURANCE === '1' ? 50 : 3
const timeLimitMs = 60_000 + kills * 5000
const path = (writer: number) => `/v1/records/c/${writer}`

interface Acknowledged {
  readonly n: number
  readonly etag: string | undefined
}

it(
  `loses no write that was answered when it is killed under load, ${kills} times`,
  { timeout: timeLimitMs },
  async () => {
    const last = Array.from({ length: writers }, (): Acknowledged => ({ n: 0, etag: undefined }))
    let writes = 0
    for (let kill = 1; kill <= kills; kill += 1) {
      const server = await startReady()
      for (const [writer, { n, etag }] of last.entries()) {
        const { status, headers, body } = await ask(path(writer))
        const found = status === 404 ? undefined : body
        // The one that was under way when the kill came may be there or not.
        const allowed = [valueAfter(n), valueAfter(n + 1)]
        if (!allowed.includes(found))
          expect.fail(`kill ${kill}, writer ${writer} after ${n}: ${String(found).slice(-20)}`)
        if (found === allowed[0] && found !== undefined) expect(headers.etag).toBe(etag)
        last[writer] = { n: found === allowed[0] ? n : n + 1, etag: headers.etag }
      }
      const agent = new Agent({ keepAlive: true })
      const enough = 300 * (1 + (kill % 5))
      const begun = writes
      // Each goes on until the server is gone.
      const write = async (writer: number): Promise<void> => {
        for (let n = (last[writer]?.n ?? 0) + 1; ; n += 1) {
          const etag = await put(agent, path(writer), valueAfter(n)).catch(() => 'gone' as const)
          if (etag === 'gone') return
          last[writer] = { n, etag }
          writes += 1
          if (writes - begun === enough) server.child.kill('SIGKILL')
        }
      }
      await Promise.all(last.map((_, writer) => write(writer)))
      agent.destroy()
      await server.exit
      expect(writes - begun).toBeGreaterThanOrEqual(enough)
    }
    const db = new DatabaseSync(join(here.root, 'var/lib/network_system/state.db'))
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    db.close()
  },
)

/** Writes a record, or deletes it. @returns its ETag @throws where there is no answer, or one that says no */
const put = (agent: Agent, to: string, value: string | undefined): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const method = value === undefined ? 'DELETE' : 'PUT'
    const headers = value === undefined ? {} : { 'content-type': 'application/json' }
    const asked = request(
      { agent, method, headers, host: '127.0.0.1', port: here.ports.server, path: to },
      (answer) => {
        answer.resume()
        const good = [200, 201, 204].includes(answer.statusCode ?? 0)
        if (!good) reject(new Error(`${method} ${to} was answered ${answer.statusCode ?? 0}`))
        else answer.on('end', () => resolve(answer.headers.etag)).on('error', reject)
      },
    )
    asked.on('error', reject)
    asked.end(value)
  })
