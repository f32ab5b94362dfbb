// Names of hosts, looked up as the service looks them up.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { NetopsError, systemCode } from '../../model/errors.ts'
import { good, type LiveFinding, type Say } from './finding.ts'

/** The addresses of a host; an address is its own. */
export type Resolve = (host: string) => Promise<readonly string[]>

/**
 * A resolver that asks for each name once, however many keys hold it.
 *
 * A question to a name service that does not answer cannot be taken back: the findings come in time, but the process
 * ends only when the system gives up, by resolv.conf(5) after 10 s for each server.
 */
export function resolver(): Resolve {
  const asked = new Map<string, Promise<readonly string[]>>()
  return (host) => {
    const known = asked.get(host)
    if (known !== undefined) return known
    const asking = isIP(host) === 0 ? addressesOf(host) : Promise.resolve([host])
    asked.set(host, asking)
    return asking
  }
}

async function addressesOf(name: string): Promise<readonly string[]> {
  try {
    return [...new Set((await lookup(name, { all: true })).map(({ address }) => address))]
  } catch (error) {
    const code = systemCode(error) ?? 'unknown reason'
    throw new NetopsError('unreachable', {
      message: `this machine knows no address of ${name} (${code})`,
      cause: error,
    })
  }
}

/**
 * A name's addresses. That there are none is thrown, for the look to tell.
 * @returns nothing for what is an address already
 */
export async function examineName(key: string, host: string, resolve: Resolve): Promise<readonly LiveFinding[]> {
  return isIP(host) === 0 ? [good(key, `${host} is ${(await resolve(host)).join(', ')}`)] : []
}

export interface HostEntry {
  /** The key that is looked at, and the one that names the host. */
  readonly key: string
  readonly hostKey: string
  readonly host: string
}

/** A host's addresses; where it has none, a finding that leaves the reason to that of its name. */
export async function resolveFor(
  { key, hostKey, host }: HostEntry,
  resolve: Resolve,
  say: Say,
): Promise<{ readonly addresses: readonly string[] } | { readonly finding: LiveFinding }> {
  try {
    return { addresses: await resolve(host) }
  } catch (error) {
    if (error instanceof NetopsError) return { finding: say(key, `not tried: ${hostKey} has no address`) }
    throw error
  }
}
