// What Prometheus and Grafana are given for a fleet: where to scrape each host, rules, alerts and a dashboard. Pure.
import { isIP } from 'node:net'
import { urlHost } from '../model/login-names.ts'
import { serviceName } from '../model/paths.ts'
import { latest, type Objectives } from '../model/backup-config.ts'
import type { ServerConfig } from '../model/server-config.ts'
import { readTemplate } from '../system/assets.ts'
import { render } from '../system/template.ts'

/** A host as it is scraped. */
export interface ScrapedHost {
  readonly name: string
  /** As it is logged in to. */
  readonly address: string
  readonly groups: readonly string[]
  readonly roles: readonly string[]
  readonly metrics: ServerConfig['metrics']
}

export interface MonitoringFile {
  readonly name: string
  readonly text: string
}

export interface Monitoring {
  readonly files: readonly MonitoringFile[]
  /** What stands against scraping, a sentence each. */
  readonly warnings: readonly string[]
}

/**
 * The files for a fleet.
 * @param environment what the hosts are; undefined where the fleet file does not say
 * @param objectives what is promised of backups
 */
export function monitoringFor(
  hosts: readonly ScrapedHost[],
  environment: string | undefined,
  objectives: Objectives,
): Monitoring {
  const job = serviceName
  const { rpo, verified } = objectives
  const promised = { backupSeconds: seconds(latest(rpo.configuration)), verifiedSeconds: seconds(latest(verified)) }
  return {
    files: [
      { name: 'prometheus.yml', text: render(readTemplate('prometheus/prometheus.yml'), { job }) },
      { name: 'targets.yml', text: targets(hosts, environment) },
      { name: 'rules.yml', text: render(readTemplate('prometheus/rules.yml'), { job }) },
      { name: 'alerts.yml', text: render(readTemplate('prometheus/alerts.yml'), { job, ...promised }) },
      { name: 'dashboard.json', text: render(readTemplate('grafana/dashboard.json'), { job }) },
    ],
    warnings: hosts.filter(({ metrics }) => isLoopback(metrics.host)).map(unreachable),
  }
}

const seconds = (ms: number): string => String(Math.round(ms / 1000))

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)

const unreachable = ({ name, metrics: { host, port } }: ScrapedHost): string =>
  `${name}: metrics.host is ${host}, where only the host itself can scrape port ${port}; set metrics.host to an address that Prometheus reaches`

/** Where Prometheus asks: the address that metrics are served on, or the host's where that one says nothing to others. */
function targetOf({ address, metrics: { host, port } }: ScrapedHost): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  // A name may mean something else on the host than where Prometheus runs.
  const own = !everywhere && !isLoopback(host) && isIP(host) !== 0
  return `${urlHost(own ? host : address)}:${port}`
}

/** prometheus.io/docs: file_sd_config. JSON is YAML, and nothing in it needs to be escaped by hand. */
function targets(hosts: readonly ScrapedHost[], environment: string | undefined): string {
  const entries = hosts.map((host) => {
    const labels = {
      host: host.name,
      ...(environment === undefined ? {} : { environment }),
      // A label has one value: with commas on both sides, groups=~".*,edge,.*" finds a group.
      ...(host.groups.length === 0 ? {} : { groups: `,${host.groups.join(',')},` }),
      ...(host.roles.length === 0 ? {} : { roles: `,${host.roles.join(',')},` }),
    }
    return `- ${JSON.stringify({ targets: [targetOf(host)], labels })}\n`
  })
  const from = '# Written by netops from the fleet file; `netops monitoring render` replaces it.\n'
  return from + (entries.length === 0 ? '[]\n' : entries.join(''))
}
