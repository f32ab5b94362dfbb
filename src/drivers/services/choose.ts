// The service manager of a host.
import { processServices } from './process.ts'
import type { ServiceManager } from './port.ts'
import { systemd } from './systemd.ts'

/** The service manager of a root: systemd on a host of its own, else supervision by the given netops build. */
export const servicesFor = (root: string, netops: string): ServiceManager =>
  root === '/' ? systemd : processServices(root, netops)
