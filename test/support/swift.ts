// An S3 server for a test: OpenStack Swift from Debian's packages with its S3 interface, wholly below a folder of the test's own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { execText } from '../../src/system/exec.ts'
import { freePort } from './free-port.ts'
import type { S3Server } from './s3-server.ts'

export interface SwiftServer extends S3Server {
  /** A key that may do nothing but put objects into the bucket. */
  readonly putter: S3Server['credentials']
}

const kinds = ['account', 'container', 'object'] as const

// What swift-ring-builder would take a process a step for.
const makeRings = `
import sys
from swift.common.ring import RingBuilder
for word in sys.argv[2:]:
    kind, port = word.split('=')
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'd1', 'weight': 1})
    builder.rebalance()
    builder.get_ring().save('%s/%s.ring.gz' % (sys.argv[1], kind))
`

/** @param folder an empty folder of the test's own, on a file system with extended attributes */
export async function startSwift(folder: string): Promise<SwiftServer> {
  const at = (...names: string[]): string => join(folder, ...names)
  for (const name of ['etc', 'devices/d1', 'log']) await mkdir(at(name), { recursive: true })
  const ports = {
    account: await freePort(),
    container: await freePort(),
    object: await freePort(),
    proxy: await freePort(),
    cache: await freePort(),
  }
  const common = (port: number): string[] => [
    '[DEFAULT]',
    ...['bind_ip = 127.0.0.1', `bind_port = ${port}`, 'workers = 0', `user = ${userInfo().username}`],
    ...[`swift_dir = ${at('etc')}`, `devices = ${at('devices')}`, 'mount_check = false', 'disable_fallocate = true'],
  ]
  for (const kind of kinds) {
    const lines = ['[pipeline:main]', `pipeline = ${kind}-server`, `[app:${kind}-server]`, `use = egg:swift#${kind}`]
    await writeFile(at('etc', `${kind}-server.conf`), [...common(ports[kind]), ...lines, ''].join('\n'))
  }
  const proxy = [
    ...common(ports.proxy),
    '[pipeline:main]',
    'pipeline = catch_errors gatekeeper listing_formats cache s3api tempauth copy slo proxy-server',
    ...['catch_errors', 'gatekeeper', 'listing_formats', 'copy', 'slo'].flatMap((name) => [
      `[filter:${name}]`,
      `use = egg:swift#${name}`,
    ]),
    ...['[filter:cache]', 'use = egg:swift#memcache', `memcache_servers = 127.0.0.1:${ports.cache}`],
    ...['[filter:s3api]', 'use = egg:swift#s3api', 'location = eu-test-1', 'auth_pipeline_check = false'],
    ...[
      '[filter:tempauth]',
      'use = egg:swift#tempauth',
      'user_test_tester = testing .admin',
      'user_test_putter = putting',
    ],
    ...['[app:proxy-server]', 'use = egg:swift#proxy', 'account_autocreate = true'],
  ]
  await writeFile(at('etc', 'proxy-server.conf'), `${proxy.join('\n')}\n`)
  await execText(['/usr/bin/python3', '-c', makeRings, at('etc'), ...kinds.map((kind) => `${kind}=${ports[kind]}`)])
  const servers: ChildProcess[] = []
  const start = async (name: keyof typeof ports, argv: readonly string[]): Promise<void> => {
    const log = await open(at('log', name), 'w')
    const [command = '', ...words] = argv
    const started = spawn(command, words, { stdio: ['ignore', log.fd, log.fd] })
    await once(started, 'spawn')
    await log.close()
    servers.push(started)
    while (!(await listens(ports[name]))) {
      if (started.exitCode !== null) throw new Error(`${name}: ${await readFile(at('log', name), 'utf8')}`)
      await sleep(50)
    }
  }
  const stop = async (): Promise<void> => {
    for (const process of servers) {
      if (process.exitCode !== null || process.signalCode !== null) continue
      const ended = once(process, 'exit')
      process.kill('SIGKILL')
      await ended
    }
  }
  const { username } = userInfo()
  const started = [
    // Where logins are kept; without it the key of a request is not looked at.
    start('cache', ['memcached', '-l', '127.0.0.1', '-p', String(ports.cache), '-U', '0', '-u', username]),
    ...([...kinds, 'proxy'] as const).map((kind) =>
      start(kind, [`/usr/bin/swift-${kind}-server`, at('etc', `${kind}-server.conf`)]),
    ),
  ]
  const server: SwiftServer = {
    name: 'swift',
    port: ports.proxy,
    bucket: 'copies',
    region: 'eu-test-1',
    credentials: { accessKey: 'test:tester', secretKey: 'testing' },
    putter: { accessKey: 'test:putter', secretKey: 'putting' },
    stop,
  }
  try {
    await Promise.all(started)
    await makeBucket(server)
    return server
  } catch (error) {
    await Promise.allSettled(started)
    await stop()
    throw error
  }
}

/** The bucket, into which the second key may put. */
async function makeBucket({ port, region, bucket, credentials, putter }: SwiftServer): Promise<void> {
  const client = new S3Client({
    region,
    endpoint: `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  // By Swift's own interface: its S3 has no policies.
  const login = await fetch(`http://127.0.0.1:${port}/auth/v1.0`, {
    headers: { 'X-Auth-User': credentials.accessKey, 'X-Auth-Key': credentials.secretKey },
  })
  const headers = { 'X-Auth-Token': login.headers.get('X-Auth-Token') ?? '', 'X-Container-Write': putter.accessKey }
  for (const name of [bucket, `${bucket}+segments`]) {
    const made = await fetch(`${login.headers.get('X-Storage-Url') ?? ''}/${name}`, { method: 'PUT', headers })
    if (!made.ok) throw new Error(`the rights of ${name}: ${made.status}`)
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
