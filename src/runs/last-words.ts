// What a service said before it failed, for the failure to tell: bounded, and safe to show.
import { constants } from 'node:os'
import { readerOf } from '../drivers/hosts/readers.ts'
import type { ServiceState } from '../drivers/services/port.ts'
import { locate, NetopsError } from '../model/errors.ts'
import { shownText } from '../model/escape.ts'
import { serviceOutput, hostPaths } from '../model/paths.ts'
import { findLog, readLog } from '../procedures/logs/source.ts'
import type { RunHost } from './hosts.ts'

const mostLines = 10
const mostCharacters = 300

/**
 * The last lines of a service's log since a start, escaped; none where they cannot be read: the failure itself is told.
 * @param from as the service manager told it
 */
export async function lastWords(host: RunHost, unit: string, from: string): Promise<readonly string[]> {
  try {
    const reader = readerOf(await host.connection())
    const { services } = host
    const printed = await services.logSince(reader, unit, from, mostLines)
    const log = await findLog(reader, services.root)
    // Where nothing goes to the console, it holds what the service says of its end at most.
    const isElsewhere = log.kind === 'file' && log.path !== serviceOutput(hostPaths(services.root))
    const logged = isElsewhere
      ? (await reader.query(readLog(log, { lines: mostLines, follow: false, since: undefined }))).stdout.split('\n')
      : []
    return [...logged, ...printed]
      .filter((line) => line.trim() !== '')
      .slice(-mostLines)
      .map(shortened)
  } catch {
    // Whatever keeps the log from being read must not take the place of what is being told.
    return []
  }
}

const shortened = (line: string): string =>
  shownText(line.length > mostCharacters ? `${line.slice(0, mostCharacters - 1)}…` : line)

/** The same failure, with what the service said. */
export async function withLastWords(thrown: unknown, host: RunHost, unit: string): Promise<NetopsError> {
  const error = locate(thrown, { host: host.name })
  const state = await stateOf(host, unit)
  const log = state?.logFrom === undefined ? [] : await lastWords(host, unit, state.logFrom)
  const { code, message, hint, host: name, resumable, cause } = error
  return new NetopsError(code, { message, hint, host: name, resumable, cause, log })
}

async function stateOf(host: RunHost, unit: string): Promise<ServiceState | undefined> {
  try {
    return await host.services.read(readerOf(await host.connection()), unit)
  } catch {
    // As above.
    return undefined
  }
}

/** How a process ended: `with exit code 3`, `by SIGSEGV`. */
export function describeEnd(code: number): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0]
  return code > 128 && signal !== undefined ? `by ${signal}` : `with exit code ${code}`
}
