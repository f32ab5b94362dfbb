// Ports that the service listens on: can they be had now, and if not, is it the service itself that has them?
import { createServer } from 'node:net'
import { showAddress } from '../../model/addresses.ts'
import { systemCode } from '../../model/errors.ts'
import { urlHost } from '../../model/login-names.ts'
import { httpGet } from '../../system/http.ts'
import { good, problem, warning, type LiveFinding } from './finding.ts'
import { addressToAsk, isInTheWay, plainAddress, readListeners, type Listener } from './listeners.ts'
import { resolveFor, type HostEntry, type Resolve } from './names.ts'

export interface PortEntry extends HostEntry {
  readonly port: number
  /** How network_server is recognised there. */
  readonly speaks: 'http' | 'https' | 'metrics'
}

export interface PortPlace {
  readonly root: string
  readonly resolve: Resolve
}

export async function examinePort(entry: PortEntry, { root, resolve }: PortPlace): Promise<readonly LiveFinding[]> {
  const found = await resolveFor(entry, resolve, warning)
  if ('finding' in found) return [found.finding]
  // Which of several addresses Node listens on.
  const address = found.addresses.find((one) => !isLinkLocal(one)) ?? found.addresses[0]
  if (address === undefined) return [problem(entry.key, `${entry.host} has no address`)]
  const wanted = { address: plainAddress(address), port: entry.port }
  const { code, others } = await tryAddress(wanted)
  if (code !== 'EADDRINUSE') return [judgeListening(entry.key, { wanted, code, root })]
  return [await judgeTaken(entry, wanted, others)]
}

const isLinkLocal = (address: string): boolean => /^fe[89ab][0-9a-f]:/i.test(address)

interface Attempt {
  /** Why it cannot be listened on, as the system's code; undefined where it can. */
  readonly code: string | undefined
  /** Who may be in the way. */
  readonly others: readonly Listener[]
}

async function tryAddress(wanted: Listener): Promise<Attempt> {
  const others = (await readListeners()).filter((listener) => isInTheWay(listener, wanted) !== 'no')
  // What is surely taken is not tried, so that nobody is disturbed.
  const taken = others.some((listener) => isInTheWay(listener, wanted) === 'surely')
  return { code: taken ? 'EADDRINUSE' : await tryListening(wanted), others }
}

async function judgeTaken(entry: PortEntry, wanted: Listener, others: readonly Listener[]): Promise<LiveFinding> {
  const asked = others.length === 0 ? [wanted] : others
  const hosts = [...new Set(asked.map((listener) => addressToAsk(listener, wanted)))]
  const releases = await Promise.all(hosts.map((host) => releaseAt(entry, host)))
  const release = releases.find((one) => one !== undefined)
  const place = showAddress(wanted.address, wanted.port)
  return release === undefined
    ? problem(entry.key, `${place} is in use by something else: ss -ltnp 'sport = :${wanted.port}' names it`)
    : good(entry.key, `${place} is in use by network_server itself, release ${release}`)
}

/**
 * Listens, and stops before anything else of this process runs: looks side by side do not find each other's attempts.
 * @returns why it cannot, as the system's code
 */
function tryListening({ address, port }: Listener): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => {
      const code = systemCode(error)
      if (code === undefined) reject(error)
      else resolve(code)
    })
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

interface Tried {
  readonly wanted: Listener
  readonly code: string | undefined
  readonly root: string
}

/** What it means that an address could be listened on, or that the system refused it with this code. */
export function judgeListening(key: string, { wanted, code, root }: Tried): LiveFinding {
  const place = showAddress(wanted.address, wanted.port)
  switch (code) {
    case undefined:
      return good(key, `${place} is free`)
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return problem(key, `this machine has no address ${wanted.address}`)
    case 'EACCES': {
      // templates/network_service.service grants the capability; below a root there is no unit.
      const who =
        root === '/'
          ? 'the service may, because its unit has CAP_NET_BIND_SERVICE'
          : 'below a root the service has no more rights than who starts it'
      return warning(key, `${place} was not tried: only root may open ports this low; ${who}`)
    }
    default:
      return problem(key, `${place} cannot be opened (${code})`)
  }
}

// Shorter than the look itself, so that a listener that says nothing is told as such.
const answerLimitMs = 3000

/** The release of the network_server that answers at an address; undefined where something else does, or nothing. */
async function releaseAt({ speaks, port }: PortEntry, host: string): Promise<string | undefined> {
  const place = `${urlHost(host)}:${port}`
  try {
    if (speaks === 'metrics') {
      const { body } = await httpGet(`http://${place}/metrics`, answerLimitMs)
      return releaseInMetrics(body)
    }
    const answer = await httpGet(`${speaks}://${place}/health/ready`, answerLimitMs, { certificate: 'any' })
    return answer.headers['x-release']
  } catch {
    // Whatever does not answer as network_server does is something else.
    return undefined
  }
}

/** The label `release` of network_build_info in a text for Prometheus. */
export const releaseInMetrics = (text: string): string | undefined =>
  /^network_build_info\{(?:[^}]*,)?release="([^"]*)"[^}]*\} 1$/m.exec(text)?.[1]
