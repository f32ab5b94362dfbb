import { describe, expect, test } from 'vitest'
import { isMeasured, linkSpeed, measureBy } from '../../../../src/drivers/hosts/link-speed.ts'
import type { HostConnection } from '../../../../src/drivers/hosts/port.ts'
import { NetopsError } from '../../../../src/model/errors.ts'

/**
 * A host that takes `beginMs` to begin a command and then so many bytes a second, on a clock of its own, while this process
 * is at work for a share of the time.
 */
function hostWith(beginMs: number, bytesPerSecond: number, { code = 0, atWork = 0 } = {}) {
  const sent: number[] = []
  let clock = 0
  const connection: HostConnection = {
    name: 'web1',
    run(argv, options) {
      expect(argv).toEqual(['wc', '-c'])
      const { length } = options?.stdin !== undefined && 'bytes' in options.stdin ? options.stdin.bytes : []
      sent.push(length)
      clock += beginMs + (length / bytesPerSecond) * 1000
      return Promise.resolve({ code, stdout: '', stderr: '' })
    },
    open: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  }
  let told = 0
  const measure = () =>
    linkSpeed(connection, (bytes) => (told += bytes), {
      now: () => clock,
      atWork: () => clock * atWork,
    })
  return { connection, measure, sent, told: () => told }
}
const kibibyte = 1024

describe('the speed of a link', () => {
  test.each([
    ['a slow link, by little', 1e6, [0, 0, 512 * kibibyte]],
    ['a quick link, by more', 40e6, [0, 0, 512 * kibibyte, 2048 * kibibyte]],
  ])('is that of %s, without what a command takes', async (_, speed, samples) => {
    const host = hostWith(300, speed)
    expect(await host.measure()).toBeCloseTo(speed, 0)
    expect(host.sent).toEqual(samples)
    expect(host.told()).toBe(samples.reduce((sum, size) => sum + size))
  })

  test('is measured once for a connection', async () => {
    const host = hostWith(1, 1e6)
    const speeds = await Promise.all([host.measure(), host.measure()])
    expect(speeds[0]).toBe(speeds[1])
    expect(host.sent).toHaveLength(3)
  })

  test('has no end where nothing takes time, or nothing can be measured', async () => {
    expect(await hostWith(5, Infinity).measure()).toBe(Infinity)
    expect(await hostWith(5, 1e6, { code: 127 }).measure()).toBe(Infinity)
  })

  test('has no end where it is this process that takes the time', async () => {
    expect(await hostWith(5, 1e6, { atWork: 0.3 }).measure()).toBeLessThan(Infinity)
    expect(await hostWith(5, 1e6, { atWork: 0.4 }).measure()).toBe(Infinity)
  })

  test('is that of what was sent anyway', async () => {
    const { connection, measure, sent } = hostWith(0, 1e6)
    let now = 0
    const clock = { now: () => now, atWork: () => 0 }
    expect(isMeasured(connection)).toBe(false)
    await measureBy(connection, 5e6, () => Promise.resolve(void (now = 2000)), clock)
    expect(isMeasured(connection)).toBe(true)
    expect(await measure()).toBe(2.5e6)
    expect(sent).toEqual([])
  })

  test('is asked for again after it failed', async () => {
    const { connection } = hostWith(5, 1e6)
    let fails = true
    const moody: HostConnection = {
      ...connection,
      run: (argv, options) =>
        fails
          ? Promise.reject(new NetopsError('failed', { message: 'it did not end' }))
          : connection.run(argv, options),
    }
    await expect(linkSpeed(moody, () => undefined)).rejects.toMatchObject({ code: 'failed' })
    fails = false
    expect(await linkSpeed(moody, () => undefined)).toBeGreaterThan(0)
  })
})
