// Lines of the server log at a real rsyslog: over UDP, TCP and a unix socket, and while it is away.
import { hostname } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LogLevel } from '../../src/model/logging-config.ts'
import { openLogs, type LogHub } from '../../src/server/logs/hub.ts'
import type { SyslogAddress } from '../../src/server/logs/syslog-output.ts'
import { hasRsyslog, makeRsyslog, type Rsyslog } from '../support/rsyslog.ts'
import { baseConfig, eventually, startReady, useServers } from '../support/server-process.ts'

useServers()

describe.skipIf(!hasRsyslog())('syslog', () => {
  let rsyslog: Rsyslog
  let open: LogHub[] = []
  beforeEach(async () => {
    rsyslog = await makeRsyslog()
  })
  afterEach(async () => {
    await Promise.all(open.map((logs) => logs.close()))
    open = []
    await rsyslog.remove()
  })
  const opened = (address: SyslogAddress, level: LogLevel = 'TRACE'): LogHub => {
    const logs = openLogs([{ kind: 'syslog', of: 'server', level, facility: 'local0', address }], 'r1')
    open.push(logs)
    return logs
  }
  const addresses = (): Readonly<Record<string, SyslogAddress>> => ({
    udp: { over: 'udp', host: '127.0.0.1', port: rsyslog.port },
    tcp: { over: 'tcp', host: 'localhost', port: rsyslog.port },
    unix: { over: 'unix', path: rsyslog.socket },
  })
  const addressOf = (name: string): SyslogAddress => addresses()[name] ?? { over: 'unix', path: '' }
  const messages = (): readonly string[] =>
    rsyslog.received().map(({ msg }) => (JSON.parse(msg) as { msg: string }).msg)

  it.each(['udp', 'tcp', 'unix'])('has every severity, over %s', async (name) => {
    const logs = opened(addressOf(name))
    const { logger } = logs
    logger.trace('a')
    logger.debug('b')
    logger.info('c')
    logger.warn('d')
    logger.error({ err: new Error('of two\nlines') }, 'é')
    logger.fatal('f')
    await logs.close()
    await eventually(() => expect(rsyslog.received()).toHaveLength(6))
    expect(rsyslog.received().map(({ severity }) => severity)).toEqual([
      'debug',
      'debug',
      'info',
      'warning',
      'err',
      'crit',
    ])
    expect(messages()).toEqual(['a', 'b', 'c', 'd', 'é', 'f'])
    for (const { facility, app, pid, host } of rsyslog.received()) {
      expect({ facility, app, pid, host }).toEqual({
        ...{ facility: 'local0', app: 'network_server', pid: String(process.pid), host: hostname() },
      })
    }
  })

  it.each(['tcp', 'unix'])('has thousands of lines in order over %s, and has long ones cut', async (name) => {
    const logs = opened(addressOf(name))
    logs.logger.info('é'.repeat(8000))
    for (let line = 0; line < 5000; line += 1) logs.logger.info(String(line))
    await logs.close()
    await eventually(() => expect(rsyslog.received()).toHaveLength(5001))
    const [long, ...lines] = rsyslog.received()
    expect(Buffer.byteLength(long?.msg ?? '')).toBeGreaterThan(8000)
    expect(long?.msg).toMatch(/é$/)
    expect(lines.map(({ msg }) => (JSON.parse(msg) as { msg: string }).msg)).toEqual(
      Array.from({ length: 5000 }, (_, line) => String(line)),
    )
  })

  it.each(['udp', 'tcp', 'unix'])('has over %s what was logged while it was away', async (name) => {
    const logs = opened(addressOf(name))
    logs.logger.info('before')
    await eventually(() => expect(messages()).toEqual(['before']))
    await rsyslog.stop()
    // Told by the end of a connection, or by the refusal of a datagram, which is lost itself.
    await eventually(() => {
      if (name === 'udp') logs.logger.info('probe')
      expect(logs.stats().outputs).toMatchObject([{ failing: true }])
    })
    for (let line = 0; line < 100; line += 1) logs.logger.info(String(line))
    await rsyslog.start()
    const wanted = Array.from({ length: 100 }, (_, line) => String(line))
    await eventually(() => expect(messages().filter((msg) => /^\d+$/.test(msg))).toEqual(wanted))
    expect(logs.stats().outputs).toMatchObject([{ lost: 0, failing: false }])
  })

  it('is an output of the service, which starts and serves without it', async () => {
    await rsyslog.stop()
    const output = `{ type: syslog, level: WARN, facility: local3, address: "tcp://127.0.0.1:${rsyslog.port}" }`
    const server = await startReady({
      config: `${baseConfig()}logging: { outputs: [{ type: console }, ${output}] }\n`,
    })
    expect(server.errors()).toContain(`cannot write the log to tcp://127.0.0.1:${rsyslog.port}`)
    server.child.kill('SIGUSR2')
    await rsyslog.start()
    await eventually(() => expect(messages().some((msg) => msg.startsWith('SIGUSR2 is ignored'))).toBe(true))
    expect(rsyslog.received().every(({ facility, severity }) => facility === 'local3' && severity !== 'info')).toBe(
      true,
    )
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
  })
})
