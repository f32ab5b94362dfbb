// `bare-http.ts fastify|http PORT THREADS FILE`: the bytes of a file under every address, by a library alone: no tokens, no log,
// no limits. For `bench -- server`, as the peer to be measured beside.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { fastify } from 'fastify'

interface Wish {
  readonly library: string
  readonly port: number
  readonly file: string
}

const type = 'application/json'

async function serve({ library, port, file }: Wish): Promise<void> {
  const body = readFileSync(file)
  const at = { host: '127.0.0.1', port, reusePort: true }
  if (library === 'http') {
    const headers = { 'content-type': type, 'content-length': body.length, etag: '"1"' }
    createServer((_request, response) => {
      response.writeHead(200, headers)
      response.end(body)
    }).listen(at)
    return
  }
  const app = fastify()
  const text = body.toString('utf8')
  app.get('/*', (_request, reply) => reply.header('etag', '"1"').type(type).send(text))
  await app.ready()
  app.server.listen(at)
}

if (isMainThread) {
  const [library = '', port = '', threads = '1', file = ''] = process.argv.slice(2)
  const wish: Wish = { library, port: Number(port), file }
  // As the server itself: its main thread serves nobody.
  for (let count = 0; count < Number(threads); count += 1) {
    new Worker(new URL(import.meta.url), { workerData: wish })
  }
} else {
  await serve(workerData as Wish)
}
