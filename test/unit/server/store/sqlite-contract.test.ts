import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { MessageChannel } from 'node:worker_threads'
import { createSqliteStore } from '../../../../src/server/store/sqlite/store.ts'
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

storeContract('sqlite, over a port', () => {
  const store = createSqliteStore({ file: join(folder, 'ported.db') })
  const { port1, port2 } = new MessageChannel()
  createDesk(store).serve(port1)
  const client = createStoreClient(port2)
  const close = async () => {
    await client.close()
    await store.close()
  }
  return Promise.resolve({ ...client, close } satisfies Store)
})
