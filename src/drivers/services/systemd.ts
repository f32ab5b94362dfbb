// Services by systemd.
import type { ServiceEffect } from '../../model/effects.ts'
import type { HostCommand } from '../hosts/port.ts'
import type { ServiceManager, ServiceState } from './port.ts'

const systemctl = (...words: string[]): HostCommand => ({ argv: ['systemctl', ...words] })

function commandsOf({ action, unit }: ServiceEffect): readonly HostCommand[] {
  switch (action) {
    case 'start':
      return [systemctl('start', unit)]
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

const properties = ['LoadState', 'ActiveState', 'MainPID', 'InvocationID', 'NRestarts', 'ActiveEnterTimestamp']

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
  return {
    state: value.get('LoadState') === 'not-found' ? 'absent' : (states[active ?? ''] ?? 'stopped'),
    mainPid: pid === 0 ? undefined : pid,
    startId: value.get('InvocationID') || undefined,
    restarts: Number(value.get('NRestarts') ?? 0),
    since: Number.isNaN(since) ? undefined : new Date(since).toISOString(),
  }
}

const states: Record<string, ServiceState['state']> = {
  active: 'running',
  reloading: 'running',
  activating: 'starting',
  failed: 'failed',
}

export const systemd: ServiceManager = {
  kind: 'systemd',
  commandsOf,
  logsCommand: (unit) => ['journalctl', '-u', unit, '-n', '50', '--no-pager'],
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
