// What environment a host is marked as, which a fleet file must be for.
import type { HostReader } from '../drivers/hosts/port.ts'
import { NetopsError } from '../model/errors.ts'
import type { HostPaths } from '../model/paths.ts'

/** What a host is marked as: production, staging; undefined where nobody marked it. */
export async function readEnvironment(reader: HostReader, paths: HostPaths): Promise<string | undefined> {
  const text = (await reader.readText(paths.environment))?.trim()
  return text === '' ? undefined : text
}

/**
 * Refuses a host of another environment.
 * @param environment what the fleet file says, if it says anything
 * @throws NetopsError `refused`
 */
export function refuseOtherEnvironment(
  host: string,
  marked: string | undefined,
  environment: string | undefined,
): void {
  if (marked === undefined || marked === environment) return
  throw new NetopsError('refused', {
    host,
    message: `the host is marked as ${marked}, and the fleet file is for ${environment ?? 'no environment'}`,
    hint: `use the fleet file of ${marked}; a host that changed hands is marked in /etc/netops/environment`,
  })
}
