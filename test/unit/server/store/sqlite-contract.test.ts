import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { commitMemory, openCommits } from '../../../../src/server/store/sqlite/commits.ts'
import { createSqliteStore } from '../../../../src/server/store/sqlite/store.ts'
import { parseServerConfig } from '../../../../src/config/server-config.ts'
import { connectStore } from '../../../../src/server/store/connect.ts'
import { createStoreClient } from '../../../../src/server/store/client.ts'
import { createDesk } from '../../../../src/server/store/thread.ts'
import type { Store } from '../../../../src/server/store/port.ts'
import { storeContract } from '../../../support/store-contract.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netops-store-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

storeContract('sqlite', () => Promise.resolve(createSqliteStore({ file: join(folder, 'state.db') })))

storeContract('sqlite, over a port', () => Promise.resolve(overPort('ported', (port) => createStoreClient(port))))

storeContract('sqlite, over a port and read beside it', () =>
  Promise.resolve(
    overPort('read', (store, commits) => connectStore({ config, dataDir: join(folder, 'read'), commits, store })),
  ),
)

const config = parseServerConfig('', 'config.yaml')

function overPort(name: string, connect: (port: MessagePort, commits: SharedArrayBuffer) => Store): Store {
  const commits = commitMemory()
  const store = createSqliteStore({ file: join(folder, name, 'state.db'), commits: openCommits(commits) })
  const { port1, port2 } = new MessageChannel()
  createDesk(store).serve(port1)
  const client = connect(port2, commits)
  const close = async () => {
    await client.close()
    await store.close()
  }
  return { ...client, close }
}
