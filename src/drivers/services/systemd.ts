// Services by systemd.
import * as z from 'zod'
import type { ServiceEffect } from '../../model/effects.ts'
import { parseJson } from '../../model/json.ts'
import type { HostCommand } from '../hosts/port.ts'
import type { ServiceManager, ServiceState } from './port.ts'

const systemctl = (...words: string[]): HostCommand => ({ argv: ['systemctl', ...words] })

function commandsOf({ action, unit }: ServiceEffect): readonly HostCommand[] {
  switch (action) {
    case 'start':
      return [systemctl('start', unit)]
    case 'restart':
      return [systemctl('restart', unit)]
    case 'stop':
      // systemctl(1): 5 says that there is no such unit, so there is nothing to stop.
      return [{ argv: ['systemctl', 'stop', unit], okCodes: [0, 5] }]
    case 'enable':
      return [systemctl('enable', '--quiet', unit)]
    case 'disable':
      return [{ argv: ['systemctl', 'disable', '--quiet', unit], okCodes: [0, 1, 5] }]
    case 'reload-units':
      return [systemctl('daemon-reload')]
    case 'forget-failures':
      return [{ argv: ['systemctl', 'reset-failed', unit], okCodes: [0, 1, 5] }]
  }
}

const properties = [
  ...['LoadState', 'ActiveState', 'Job', 'MainPID', 'InvocationID', 'NRestarts', 'ActiveEnterTimestamp'],
  ...['ExecMainStartTimestampMonotonic', 'ExecMainCode', 'ExecMainStatus'],
]

/** `Name=value` lines, as `systemctl show` prints them. */
const parseProperties = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )

/** What `systemctl show` printed, as a service's state. */
export function parseShow(text: string): ServiceState {
  const value = parseProperties(text)
  const active = value.get('ActiveState')
  const since = Date.parse(value.get('ActiveEnterTimestamp') ?? '')
  const pid = Number(value.get('MainPID') ?? 0)
  // At boot it waits for others before it starts.
  const idle = Number(value.get('Job') ?? 0) > 0 ? 'starting' : 'stopped'
  const ended = endOf(Number(value.get('ExecMainCode') ?? 0), Number(value.get('ExecMainStatus') ?? 0))
  const started = value.get('ExecMainStartTimestampMonotonic') ?? '0'
  return {
    state: value.get('LoadState') === 'not-found' ? 'absent' : (states[active ?? ''] ?? idle),
    mainPid: pid === 0 ? undefined : pid,
    startId: value.get('InvocationID') || undefined,
    restarts: Number(value.get('NRestarts') ?? 0),
    since: Number.isNaN(since) ? undefined : new Date(since).toISOString(),
    ...(ended === undefined ? {} : { ended }),
    ...(started === '0' ? {} : { logFrom: started }),
  }
}

/** As a shell tells it; the kind of end is that of waitid(2): 1 is an exit, 2 and 3 are signals. */
function endOf(kind: number, status: number): number | undefined {
  if (kind === 0) return undefined
  return kind === 1 ? status : 128 + status
}

const journalLine = z.object({ __MONOTONIC_TIMESTAMP: z.string(), MESSAGE: z.string() })

/** The messages of a journal as JSON, one a line, from a time of the host's steady clock on, in microseconds. */
export const messagesSince = (json: string, from: string): readonly string[] =>
  json.split('\n').flatMap((line) => {
    // One that is no text, or too long to be one line for journalctl.
    const { data } = journalLine.safeParse(parseJson(line))
    return data !== undefined && Number(data.__MONOTONIC_TIMESTAMP) >= Number(from) ? data.MESSAGE.split('\n') : []
  })

const states: Record<string, ServiceState['state']> = {
  active: 'running',
  reloading: 'running',
  activating: 'starting',
  failed: 'failed',
}

export const systemd: ServiceManager = {
  kind: 'systemd',
  root: '/',
  commandsOf,
  logsCommand: (unit) => ['journalctl', '-u', unit, '-n', '50', '--no-pager'],
  async logSince(reader, unit, from, lines) {
    const words = ['--quiet', '-b', '-o', 'json', '--no-pager', '-n', String(lines)]
    const { stdout } = await reader.query(['journalctl', '-u', unit, ...words])
    return messagesSince(stdout, from).slice(-lines)
  },
  async read(reader, unit) {
    const result = await reader.query([
      'env',
      'TZ=UTC',
      'systemctl',
      'show',
      `--property=${properties.join(',')}`,
      unit,
    ])
    return parseShow(result.stdout)
  },
  async readLimits(reader, unit, names) {
    const { stdout } = await reader.query(['systemctl', 'show', `--property=${names.join(',')}`, unit])
    return Object.fromEntries(parseProperties(stdout))
  },
}
