// The executable is killed while clients write: what it has answered for is there.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { recordWriters } from '../support/record-writers.ts'
import { here, startReady, useServers } from '../support/server-process.ts'

useServers()

const kills = process.env.NETOPS_ENDURANCE === '1' ? 50 : 3
const timeLimitMs = 60_000 + kills * 5000

it(
  `loses no write that was answered when it is killed under load, ${kills} times`,
  { timeout: timeLimitMs },
  async () => {
    const clients = recordWriters({ host: '127.0.0.1', port: here.ports.server })
    for (let kill = 1; kill <= kills; kill += 1) {
      const server = await startReady()
      expect(await clients.check(), `before kill ${kill}`).toEqual([])
      const enough = 300 * (1 + (kill % 5))
      const count = await clients.write((done) => {
        if (done === enough) server.child.kill('SIGKILL')
      })
      await server.exit
      expect(count).toBeGreaterThanOrEqual(enough)
    }
    await startReady()
    expect(await clients.check(), 'after the last kill').toEqual([])
    const db = new DatabaseSync(join(here.root, 'var/lib/network_system/state.db'), { readOnly: true })
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    db.close()
  },
)
