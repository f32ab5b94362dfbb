import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { processesOf, serverWords } from '../../../../src/drivers/services/root-processes.ts'

test('of a root that is gone, what serves it is found by its words', async () => {
  const gone = '/no/such/root'
  expect(processesOf(gone)).toEqual([])
  // Its shell goes on with those words while it waits.
  const server = spawn('sh', ['-c', 'echo there; read line', ...serverWords(gone)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  onTestFinished(() => void server.kill())
  await once(server.stdout, 'data')
  expect(processesOf(gone)).toEqual([{ pid: server.pid, kind: 'server' }])
})
