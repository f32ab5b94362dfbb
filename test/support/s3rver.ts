// An S3 server in a process of its own for a test: s3rver, which knows neither ListParts nor conditions, and takes what arrives.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { execPath } from 'node:process'
import type { S3Server } from './s3-server.ts'

// It signs the address of a bucket without the slash at its end and so finds every signature of a listing wrong.
const program = `
const S3rver = require('@20minutes/s3rver')
const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, allowMismatchedSignatures: true, directory: process.argv[1], configureBuckets: [{ name: 'copies' }] })
server.run((error, { port } = {}) => {
  if (error) throw error
  console.log('port ' + port)
})
`

/** @param folder an empty folder of the test's own */
export async function startS3rver(folder: string): Promise<S3Server> {
  const child = spawn(execPath, ['-e', program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: join(import.meta.dirname, '../..'),
  })
  let said = ''
  for await (const chunk of child.stdout) {
    said += String(chunk)
    if (said.includes('\n')) break
  }
  const port = Number(/port (\d+)/.exec(said)?.[1])
  return {
    name: 's3rver',
    port,
    bucket: 'copies',
    region: 'us-east-1',
    credentials: { accessKey: 'S3RVER', secretKey: 'S3RVER' },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
