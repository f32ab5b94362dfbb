// Asks a probe's question of one host, and says what was seen; and what a wait for it looks like.
import { quoteCommand } from '../model/quote.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import type { ServiceState } from '../drivers/services/port.ts'
import { wantedBy, type Probe, type ProbeAnswer } from '../model/effects.ts'
import { messageOf, NetopsError } from '../model/errors.ts'
import { sameSysctl, sysctlPath } from '../model/sysctl.ts'
import type { Wait } from '../model/plan.ts'
import { formatDuration } from '../model/units.ts'
import { httpGet } from '../system/http.ts'
import type { RunHost } from './hosts.ts'
import { describeEnd } from './last-words.ts'

const timeoutMs = 5000
// As many restarts by the service manager during a wait show a crash loop; one may be for want of a port that is still held.
const hopelessRestarts = 2

/** The answer to a probe; never throws for what the host is like, only when it is lost. */
export async function askProbe(host: RunHost, probe: Probe, first?: ProbeAnswer): Promise<ProbeAnswer> {
  switch (probe.kind) {
    case 'ready':
    case 'stopped': {
      const answer = await askService(host, probe, first)
      const logs = quoteCommand(host.services.logsCommand(probe.unit))
      return answer.ok ? answer : { ...answer, hint: `see why on the host: ${logs}` }
    }
    case 'elapsed':
      return { ok: false, seen: 'time passes' }
    case 'sysctl':
      return compare(probe.values, await readSysctls(host, Object.keys(probe.values)), sameSysctl)
    case 'unit-limits': {
      const names = Object.keys(probe.limits)
      const found = await host.services.readLimits(readerOf(await host.connection()), probe.unit, names)
      return compare(probe.limits, found, (a, b) => a === b)
    }
  }
}

/**
 * The answer to a probe that is asked from the operator's machine.
 * @throws NetopsError `usage` for one that only a host can answer
 */
export function askHere(probe: Probe): Promise<ProbeAnswer> {
  if (probe.kind === 'elapsed') return Promise.resolve({ ok: false, seen: 'time passes' })
  return Promise.reject(
    new NetopsError('usage', { message: `only a host can be asked whether it is ${wantedBy(probe)}` }),
  )
}

type ServiceProbe = Extract<Probe, { unit: string; kind: 'ready' | 'stopped' }>

async function askService(host: RunHost, probe: ServiceProbe, first: ProbeAnswer | undefined): Promise<ProbeAnswer> {
  const service = await host.services.read(readerOf(await host.connection()), probe.unit)
  if (probe.kind === 'stopped') {
    return { ok: service.mainPid === undefined, seen: `the service is ${service.state}` }
  }
  const { startId, restarts, logFrom } = service
  const known = { startId, restarts, ...(logFrom === undefined ? {} : { logFrom }) }
  const end = endOf(service, first)
  if (end !== undefined) return { ...known, ok: false, hopeless: true, seen: end }
  if (service.state !== 'running') return { ...known, ok: false, seen: `the service is ${service.state}` }
  try {
    const answer = await httpGet(probe.url, timeoutMs)
    const release = answer.headers['x-release']
    if (answer.status !== 200) return { ...known, ok: false, seen: `${probe.url} answers ${answer.status}` }
    // A server that does not name its release is judged by its start alone.
    const right = release === undefined || release === probe.release
    return { ...known, ok: right, seen: right ? 'ready' : `${probe.url} is answered by release ${release}` }
  } catch (error) {
    return { ...known, ok: false, seen: `${probe.url}: ${messageOf(error)}` }
  }
}

/** Why it cannot come to be healthy any more; undefined where it still may. Only what happened during the wait counts. */
function endOf({ state, restarts, ended }: ServiceState, first: ProbeAnswer | undefined): string | undefined {
  const how = ended === undefined ? '' : ` ${describeEnd(ended)}`
  const before = first?.restarts ?? restarts
  const since = restarts < before ? restarts : restarts - before
  if (state === 'failed') return `the service ended${how} again and again, and is not started any more`
  if (state === 'stopped' || state === 'absent') return `the service has ended${how}`
  if (since >= hopelessRestarts)
    return `the service ended ${since} times after its start${how === '' ? '' : `, last${how}`}`
  // Nothing to be tried again: it takes itself for finished, as a program does that goes on in the background.
  return state === 'starting' && ended === 0 ? `the service has ended${how}: it must stay in the foreground` : undefined
}

type Values = Readonly<Record<string, string>>

async function readSysctls(host: RunHost, keys: readonly string[]): Promise<Values> {
  const reader = readerOf(await host.connection())
  const read = await Promise.all(
    keys.map(async (key) => [key, (await reader.readText(sysctlPath(key))) ?? ''] as const),
  )
  return Object.fromEntries(read)
}

/** Values that were set are either there or not: waiting changes nothing. */
function compare(wanted: Values, found: Values, same: (a: string, b: string) => boolean): ProbeAnswer {
  const wrong = Object.entries(wanted).filter(([name, value]) => !same(found[name] ?? '', value))
  const seen = wrong.map(([name, value]) => `${name} reads ${found[name]?.trim() ?? 'nothing'}, ${value} was set`)
  return wrong.length === 0 ? { ok: true, seen: 'as set' } : { ok: false, hopeless: true, seen: seen.join('; ') }
}

/** What is waited for, for people. */
export function showWait({ probe, holdForMs, deadlineMs }: Wait): string {
  const within = `within ${formatDuration(deadlineMs)}`
  switch (probe.kind) {
    case 'ready':
      return `until ${probe.url} is 200 from ${probe.release} ${within}, held for ${formatDuration(holdForMs)}`
    case 'stopped':
      return `until ${probe.unit} has stopped, ${within}`
    case 'elapsed':
      return `for ${formatDuration(deadlineMs)}`
    case 'sysctl':
      return `until /proc/sys reads back ${Object.keys(probe.values).join(', ')}`
    case 'unit-limits':
      return `until systemd shows ${Object.keys(probe.limits).join(', ')} of ${probe.unit}`
  }
}
