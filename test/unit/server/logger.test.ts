import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openLog } from '../../../src/server/logger.ts'

describe('the log', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'netops-log-'))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    rmSync(folder, { recursive: true })
  })
  const linesOf = (name: string): unknown[] =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { msg: unknown }).msg)

  it('gives each file what its own level asks for', async () => {
    const log = openLog(
      [
        { kind: 'file', level: 'DEBUG', path: join(folder, 'all.log') },
        { kind: 'file', level: 'ERROR', path: join(folder, 'errors.log') },
      ],
      'r1',
    )
    log.logger.trace('a')
    log.logger.debug('b')
    log.logger.info('c')
    log.logger.error('d')
    await log.close()
    expect(linesOf('all.log')).toEqual(['b', 'c', 'd'])
    expect(linesOf('errors.log')).toEqual(['d'])
  })

  it('has written every line once it is closed', async () => {
    const log = openLog([{ kind: 'file', level: 'INFO', path: join(folder, 'a.log') }], 'r1')
    for (let line = 0; line < 5000; line++) log.logger.info(String(line))
    await log.close()
    expect(linesOf('a.log')).toEqual(Array.from({ length: 5000 }, (_, line) => String(line)))
  })

  it('goes on when a disk is full, and says so once on standard error', async () => {
    const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const log = openLog([{ kind: 'file', level: 'INFO', path: '/dev/full' }], 'r1')
    log.logger.info('lost')
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1))
    log.logger.info('lost too')
    await log.close()
    expect(told).toHaveBeenCalledTimes(1)
    expect(told.mock.calls[0]?.[0]).toMatch(/^network_server: cannot write the log to \/dev\/full: ENOSPC/)
  })
})
