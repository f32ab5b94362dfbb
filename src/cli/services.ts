// The service manager of a host.
import { processServices } from '../drivers/services/process.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import { systemd } from '../drivers/services/systemd.ts'

/** The service manager of a root: systemd on a host of its own, else supervision by the given netops build. */
export const servicesFor = (root: string, netops: string): ServiceManager =>
  root === '/' ? systemd : processServices(root, netops)
