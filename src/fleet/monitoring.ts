// What a fleet's Prometheus is given: each host with where its own configuration serves metrics.
import { monitoringFor, type Monitoring } from '../config/monitoring.ts'
import { readServerConfig } from '../config/server-config.ts'
import type { FleetContext } from './context.ts'
import { readFleetConfigs } from './configs.ts'
import { readFleet } from './fleet.ts'
import type { InventoryOptions } from './host-config.ts'
import { withSettings } from './inventory.ts'

/**
 * The files for all hosts of a fleet.
 * @throws NetopsError `usage` with every problem of the fleet file or of a host's configuration
 */
export async function fleetMonitoring(inventory: InventoryOptions, context: FleetContext): Promise<Monitoring> {
  const fleet = await readFleet(inventory, context)
  const configs = await readFleetConfigs(undefined, fleet, context.cwd)
  // Many hosts have the same.
  const read = new Map<string, ReturnType<typeof metricsOf>>()
  const metricsFor = (name: string) => {
    const text = configs.get(name)?.text ?? ''
    const known = read.get(text) ?? metricsOf(text, name)
    read.set(text, known)
    return known
  }
  // What the fleet file calls a host may be an alias of ssh_config, which Prometheus does not know.
  const hosts = (await withSettings(fleet, context)).map(({ host: { name, groups, roles }, settings }) => ({
    ...{ name, groups, roles, address: settings.address, metrics: metricsFor(name) },
  }))
  return monitoringFor(hosts, fleet.environment, fleet.backup.objectives)
}

/** Of what is brought to a host, which has been checked; without a configuration, the defaults. */
const metricsOf = (text: string, name: string) => readServerConfig(text, `the configuration for ${name}`).value.metrics
