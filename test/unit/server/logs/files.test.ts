import { spawnSync } from 'node:child_process'
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openLogs, type LogHub } from '../../../../src/server/logs/hub.ts'
import { backupPath } from '../../../../src/server/logs/rotation.ts'
import type { LogTarget } from '../../../../src/server/logs/targets.ts'
import { createThreadLog } from '../../../../src/server/logs/thread.ts'

type FileTarget = Extract<LogTarget, { kind: 'file' }>

let folder = ''
let open: LogHub[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netops-log-'))
})
afterEach(async () => {
  await Promise.all(open.map((logs) => logs.close()))
  open = []
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

const opened = (...targets: readonly LogTarget[]): LogHub => {
  const logs = openLogs(targets, 'r1')
  open.push(logs)
  return logs
}
const file = (name: string, more: Partial<FileTarget> = {}): FileTarget => ({
  ...{
    kind: 'file',
    of: 'server',
    level: 'INFO',
    path: name.startsWith('/') ? name : join(folder, name),
    needed: true,
  },
  ...more,
})
const parsed = (name: string): readonly Record<string, unknown>[] =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const linesOf = (name: string): readonly unknown[] => parsed(name).map(({ msg }) => msg)
/** Oldest first; the file itself is the last one. */
const filesOf = (name: string): readonly string[] => {
  const [stem = '', extension = ''] = name.split('.')
  return readdirSync(folder)
    .filter((one) => one.startsWith(stem) && one.endsWith(extension))
    .sort((a, b) => (a === name ? 1 : b === name ? -1 : a < b ? -1 : 1))
}
const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, line) => String(line))
const quietly = () => vi.spyOn(process.stderr, 'write').mockReturnValue(true)

describe('log files', () => {
  it('have what their own levels ask for', async () => {
    const logs = opened(file('all.log', { level: 'DEBUG' }), file('errors.log', { level: 'ERROR' }))
    logs.logger.trace('a')
    logs.logger.debug('b')
    logs.logger.info('c')
    logs.logger.error('d')
    await logs.close()
    expect(linesOf('all.log')).toEqual(['b', 'c', 'd'])
    expect(linesOf('errors.log')).toEqual(['d'])
    expect(logs.stats()).toMatchObject({ lines: { TRACE: 0, DEBUG: 1, INFO: 1, ERROR: 1 } })
  })

  it('take over new levels, but no new files', async () => {
    const logs = opened(file('a.log'))
    expect(logs.setLevels([file('a.log', { level: 'ERROR' })])).toBe(true)
    logs.logger.warn('before')
    expect(logs.setLevels([file('b.log', { level: 'TRACE' })])).toBe(false)
    expect(logs.setLevels([file('a.log', { level: 'TRACE' })])).toBe(true)
    logs.logger.trace('after')
    await logs.close()
    expect(linesOf('a.log')).toEqual(['after'])
  })

  it('have every line once they are closed', async () => {
    const logs = opened(file('a.log'))
    for (const line of numbers(5000)) logs.logger.info(line)
    await logs.close()
    expect(linesOf('a.log')).toEqual(numbers(5000))
    expect(statSync(join(folder, 'a.log')).mode & 0o777).toBe(0o640)
  })

  it('have every line of a process that ends at once', () => {
    const source = join(import.meta.dirname, '../../../../src/server/logs/hub.ts')
    const script = `
      const { openLogs } = await import(${JSON.stringify(source)})
      const logs = openLogs([${JSON.stringify(file('a.log'))}], 'r1')
      for (let line = 0; line < 5000; line++) logs.logger.info(String(line))
      throw new Error('nobody catches this')`
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(ended.stderr).toContain('nobody catches this')
    // What was being written and what waited may change places.
    expect(linesOf('a.log').toSorted()).toEqual(numbers(5000).toSorted())
  })

  it('are no links, and need a folder', () => {
    writeFileSync(join(folder, 'target'), '')
    symlinkSync('target', join(folder, 'link.log'))
    expect(() => opened(file('link.log'))).toThrow(/cannot open the log file .*link\.log: it is a symbolic link/)
    expect(() => opened(file('target/a.log'))).toThrow(/cannot open the log file/)
  })

  it('that are not needed are opened once they can be', async () => {
    const told = quietly()
    writeFileSync(join(folder, 'logs'), 'a file where a folder should be')
    const logs = opened(file('logs/a.log', { needed: false }))
    logs.logger.info('kept')
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1))
    rmSync(join(folder, 'logs'))
    await vi.waitFor(() => expect(linesOf('logs/a.log')[0]).toBe('kept'), { timeout: 10_000 })
    expect(told).toHaveBeenCalledTimes(1)
  })

  it('go on when a disk is full, and say so once on standard error', async () => {
    const told = quietly()
    const logs = opened(file('/dev/full'))
    logs.logger.info('lost')
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1))
    logs.logger.info('lost too')
    await logs.close()
    expect(told).toHaveBeenCalledTimes(1)
    expect(told.mock.calls[0]?.[0]).toMatch(/^network_server: cannot write the log to \/dev\/full: ENOSPC/)
    expect(logs.stats().outputs).toMatchObject([{ lost: 3, failing: true }])
  })

  it('keep no more than 4 MB waiting, and say how much was lost when they are well again', async () => {
    quietly()
    spawnSync('mkfifo', [join(folder, 'pipe')])
    // Nobody reads it, so that it cannot even be opened.
    const logs = opened(file('pipe', { needed: false }))
    const long = 'x'.repeat(10_000)
    for (const line of numbers(1000)) logs.logger.info({ long }, line)
    const [waiting] = logs.stats().outputs
    expect(waiting).toMatchObject({ failing: true })
    expect(waiting?.waitingBytes).toBeLessThanOrEqual(4 * 2 ** 20)
    expect(waiting?.lost).toBeGreaterThan(500)
    let text = ''
    const reader = createReadStream(join(folder, 'pipe'), 'utf8').on('data', (part) => (text += String(part)))
    await vi.waitFor(() => expect(text).toMatch(/"msg":"\d+ lines of a log were lost/), { timeout: 10_000 })
    await logs.close()
    reader.destroy()
    const messages = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { msg: string; lines?: number })
    const kept = messages.filter(({ msg }) => /^\d+$/.test(msg))
    expect(kept.map(({ msg }) => msg)).toEqual(numbers(kept.length))
    const tellings = messages.flatMap(({ lines }) => (lines === undefined ? [] : [lines]))
    expect(kept.length + tellings.reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(1000)
  })
})

describe('a line that an earlier process did not finish', () => {
  it('does not swallow the first of the next one', async () => {
    writeFileSync(join(folder, 'a.log'), '{"msg":"whole"}\n{"msg":"to')
    const logs = opened(file('a.log'))
    logs.logger.info('first')
    await logs.close()
    const [whole, torn, first] = readFileSync(join(folder, 'a.log'), 'utf8').split('\n')
    expect([whole, torn]).toEqual(['{"msg":"whole"}', '{"msg":"to'])
    expect(JSON.parse(first ?? '')).toMatchObject({ msg: 'first' })
  })

  it('is left behind where its file can be opened only later, and the next line would not fit into that', async () => {
    quietly()
    const path = join(folder, 'below', 'a.log')
    writeFileSync(join(folder, 'below'), 'in the way')
    const logs = opened(file(path, { needed: false, rotation: { maxSize: 60 } }))
    logs.logger.info('first')
    rmSync(join(folder, 'below'))
    mkdirSync(join(folder, 'below'))
    writeFileSync(path, 'x'.repeat(59))
    const texts = () =>
      readdirSync(join(folder, 'below')).map((name) => readFileSync(join(folder, 'below', name), 'utf8'))
    // Among what is said of the file itself.
    await vi.waitFor(() => expect(texts().filter((text) => text.includes('"msg":"first"'))).toHaveLength(1), 5000)
    await logs.close()
    expect(texts().filter((text) => text.startsWith('x'))).toEqual([`${'x'.repeat(59)}\n`])
  })
})

describe('rotation', () => {
  it('loses no line, and keeps each file below its size', async () => {
    const logs = opened(file('a.log', { rotation: { maxSize: 10_000 } }))
    for (const line of numbers(3000)) logs.logger.info(line)
    await logs.close()
    const files = filesOf('a.log')
    expect(files.length).toBeGreaterThan(15)
    expect(files.flatMap(linesOf)).toEqual(numbers(3000))
    for (const name of files) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(10_000)
  })

  it('gives a line that is too long a file of its own', async () => {
    const logs = opened(file('a.log', { rotation: { maxSize: 300 } }))
    for (const line of ['a', 'b'.repeat(1000), 'c']) logs.logger.info(line)
    await logs.close()
    expect(filesOf('a.log').map(linesOf)).toEqual([['a'], ['b'.repeat(1000)], ['c']])
  })

  it('goes on with a file that is there', async () => {
    const target = file('a.log', { rotation: { maxSize: 1000 } })
    for (let start = 0; start < 30; start += 1) {
      const logs = openLogs([target], 'r1')
      logs.logger.info(String(start))
      await logs.close()
    }
    expect(filesOf('a.log').length).toBeGreaterThan(2)
    expect(filesOf('a.log').flatMap(linesOf)).toEqual(numbers(30))
  })

  it('keeps so many rotated files, compressed or not, and leaves those of others', async () => {
    const others = ['a.log.1', 'a-b.log', 'a-2020-01-01T00-00-00.000.log.txt', 'ab-2020-01-01T00-00-00.000.log']
    const old = ['a-2020-01-01T00-00-00.000.log', 'a-2020-01-02T00-00-00.000.log.zst']
    for (const name of [...others, ...old]) writeFileSync(join(folder, name), '')
    const logs = opened(file('a.log', { rotation: { maxSize: 1000, maxBackups: 2 } }))
    for (const line of numbers(100)) logs.logger.info(line)
    await vi.waitFor(() => {
      const names = readdirSync(folder)
      expect(names.filter((name) => others.includes(name))).toHaveLength(others.length)
      expect(names.filter((name) => !others.includes(name))).toHaveLength(3)
      expect(linesOf('a.log').at(-1)).toBe('99')
    })
  })

  it('deletes rotated files that are too old', async () => {
    const day = 86_400_000
    const names = [backupPath('a.log', new Date(Date.now() - 3 * day)), backupPath('a.log', new Date(Date.now() - day))]
    for (const name of names) writeFileSync(join(folder, name), '')
    opened(file('a.log', { rotation: { maxSize: 1000, maxAge: 2 * day } }))
    await vi.waitFor(() => expect(readdirSync(folder).sort()).toEqual([names[1], 'a.log']))
  })

  it('begins a new file when the old one is too old', async () => {
    writeFileSync(join(folder, 'a.log'), '{"msg":"old"}\n')
    utimesSync(join(folder, 'a.log'), new Date(), new Date())
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(statSync(join(folder, 'a.log')).birthtimeMs + 50))
    const logs = opened(file('a.log', { rotation: { maxSize: 1e6, maxAge: 40 } }))
    logs.logger.info('new')
    await vi.waitFor(() => expect(linesOf('a.log')).toEqual(['new']))
  })

  it('never replaces a file', async () => {
    const logs = opened(file('a.log', { rotation: { maxSize: 100 } }))
    // The next milliseconds are taken.
    const now = Date.now()
    const taken = Array.from({ length: 2000 }, (_, ms) => backupPath('a.log', new Date(now + ms)))
    for (const name of taken) writeFileSync(join(folder, name), 'theirs')
    for (const line of numbers(3)) logs.logger.info(line)
    await logs.close()
    for (const name of taken) expect(readFileSync(join(folder, name), 'utf8')).toBe('theirs')
    expect(readdirSync(folder)).toHaveLength(taken.length + 3)
  })

  it('writes on where a file cannot be rotated', async () => {
    const told = quietly()
    const logs = opened(file('a.log', { rotation: { maxSize: 300 } }))
    renameSync(join(folder, 'a.log'), join(folder, 'b.log'))
    symlinkSync('elsewhere', join(folder, 'a.log'))
    for (const line of numbers(20)) logs.logger.info(line)
    await logs.close()
    expect(told.mock.calls[0]?.[0]).toContain('it is a symbolic link; it grows on')
    expect(linesOf('b.log').filter((line) => /^\d+$/.test(String(line)))).toEqual(numbers(20))
  })
})

describe('opening anew', () => {
  it('loses no line when a file is renamed meanwhile', async () => {
    const logs = opened(file('a.log'))
    for (let time = 0; time < 20; time += 1) {
      for (let line = 0; line < 100; line += 1) logs.logger.info(String(time * 100 + line))
      await new Promise((resolve) => setImmediate(resolve))
      renameSync(join(folder, 'a.log'), join(folder, `a.${String(time).padStart(2, '0')}.log`))
      logs.reopen()
      await vi.waitFor(() => expect(readdirSync(folder)).toContain('a.log'))
    }
    await logs.close()
    expect(filesOf('a.log').flatMap(linesOf)).toEqual(numbers(2000))
  })

  it('writes on to the old file where there can be no new one', async () => {
    quietly()
    const logs = opened(file('a.log'))
    logs.logger.info('one')
    renameSync(join(folder, 'a.log'), join(folder, 'b.log'))
    symlinkSync('elsewhere', join(folder, 'a.log'))
    logs.reopen()
    logs.logger.info('two')
    await logs.close()
    expect(linesOf('b.log').slice(0, 2)).toEqual(['one', 'two'])
    expect(readdirSync(folder)).not.toContain('elsewhere')
  })
})

describe('lines of serving threads', () => {
  const access = {
    requestId: 'id"1',
    client: '127.0.0.1',
    method: 'GET',
    url: '/x?y',
    status: 200,
    bytes: 10,
    durationMs: 1.5,
    aborted: false,
  }
  const both = () => [file('server.log'), file('access.log', { of: 'access' })] as const

  it('come in batches, to the log of their class', async () => {
    const logs = opened(...both())
    let batches = 0
    const thread = createThreadLog({
      ...{ release: 'r1', thread: 3, wanted: logs.wanted },
      post: (batch) => {
        batches += 1
        logs.take(structuredClone(batch))
      },
    })
    expect(thread.logsAccess()).toBe(true)
    thread.logger.debug('not wanted')
    for (const line of numbers(100)) {
      thread.logger.warn({ n: 1 }, line)
      thread.access({ ...access, url: `/${line}` })
    }
    await vi.waitFor(() => expect(linesOf('server.log')).toEqual(numbers(100)))
    expect(batches).toBeLessThan(10)
    expect(parsed('server.log')[0]).toMatchObject({ level: 'WARN', release: 'r1', thread: 3, n: 1 })
    expect(parsed('access.log').map(({ path }) => path)).toEqual(numbers(100).map((line) => `/${line}`))
    expect(parsed('access.log')[0]).toEqual({
      ...{
        time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        request_id: 'id"1',
        client: '127.0.0.1',
        method: 'GET',
      },
      ...{ path: '/0', status: 200, bytes: 10, duration_ms: 1.5, aborted: false, release: 'r1', thread: 3 },
    })
  })

  it('are bounded while the main thread does not take them, and the loss is told', async () => {
    const logs = opened(...both())
    const held: Parameters<LogHub['take']>[0][] = []
    const thread = createThreadLog({ release: 'r1', thread: 1, wanted: logs.wanted, post: (batch) => held.push(batch) })
    const path = `/${'x'.repeat(1000)}`
    for (let line = 0; line < 10_000; line += 1) thread.access({ ...access, url: path })
    thread.flush()
    expect(held.reduce((sum, { access: page }) => sum + (page?.filled ?? 0), 0)).toBeLessThanOrEqual(4 * 2 ** 20)
    for (const batch of held.splice(0)) logs.take(batch)
    const kept = logs.stats().accessLines
    // There is room again.
    thread.access(access)
    thread.flush()
    for (const batch of held.splice(0)) logs.take(batch)
    expect(logs.stats()).toMatchObject({ accessLines: kept + 1, lostInThreads: 10_000 - kept })
    await logs.close()
    expect(parsed('server.log')).toMatchObject([{ level: 'WARN', lines: 10_000 - kept }])
  })

  it('are not even made where no request is logged', () => {
    const logs = opened(file('server.log'))
    expect(createThreadLog({ release: 'r1', wanted: logs.wanted, post: logs.take }).logsAccess()).toBe(false)
  })
})
