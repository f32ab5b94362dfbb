import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { HostConnection } from '../../src/drivers/hosts/port.ts'
import { pushFile } from '../../src/drivers/hosts/push.ts'
import { sha256OfFile } from '../../src/system/files.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-push-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A host that takes what it is sent, and says nothing. */
const taking = (name: string, pauseMs: number, hear?: (command: string) => void): HostConnection => ({
  name,
  async run(argv, options) {
    hear?.(argv.join(' '))
    if (options?.stdin !== undefined && 'stream' in options.stdin) {
      for await (const chunk of options.stdin.stream()) if (chunk.length > 0) await sleep(pauseMs)
    }
    return { code: 0, stdout: '', stderr: '' }
  },
  open: () => Promise.reject(new Error('not asked for')),
  close: () => Promise.resolve(),
})

/** What this process has read, from wherever (proc(5): rchar). */
const readSoFar = async (): Promise<number> =>
  Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1])

test('a file that goes to many hosts at once is read about once, also with a straggler', async () => {
  const from = join(folder, 'file')
  const size = 24 * 1024 * 1024
  await writeFile(from, randomBytes(size))
  const place = { path: '/opt/file', mode: '0755', sha256: await sha256OfFile(from) }
  const hosts = Array.from({ length: 20 }, (_, index) => taking(`web${index}`, index === 0 ? 10 : 0))
  const before = await readSoFar()
  const pushed = await Promise.all(
    hosts.map((host) => pushFile(host, { kind: 'push', from, size, ...place }, () => undefined)),
  )
  expect((await readSoFar()) - before).toBeLessThan(1.5 * size)
  expect(pushed).toEqual(hosts.map(() => ({ bytes: size, of: size })))
})

test.each([
  ['a fast link is sent as it is', 0, false],
  ['a slow link is compressed after its first part', 150, true],
])('a file that goes whole over %s', async (_, pauseMs, compressed) => {
  const from = join(folder, 'file')
  const size = 9 * 1024 * 1024
  await writeFile(from, Buffer.alloc(size))
  const place = { path: '/opt/file', mode: '0755', sha256: await sha256OfFile(from) }
  const bases = { releases: '/r', netops: '/n' }
  const heard: string[] = []
  const host = taking('web1', pauseMs, (command) => heard.push(command))
  const { bytes } = await pushFile(host, { kind: 'push', from, size, bases, ...place }, () => undefined)
  expect(bytes < size).toBe(compressed)
  expect(bytes).toBeGreaterThan(4 * 1024 * 1024 - 1)
  expect(heard.some((command) => command.includes('gzip -dc'))).toBe(compressed)
  // Nothing is sent just to find out.
  expect(heard.filter((command) => command.startsWith('wc '))).toEqual([])
})
