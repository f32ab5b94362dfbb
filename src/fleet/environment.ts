// Whether a host is what the fleet file is for.
import { readerOf } from '../drivers/hosts/readers.ts'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { readEnvironment, refuseOtherEnvironment } from '../procedures/environment-mark.ts'

/** @throws NetopsError `refused` for a host that is marked as something else than what the fleet file is for */
export async function guardEnvironment(
  to: Target,
  connection: HostConnection,
  environment: string | undefined,
): Promise<void> {
  if (to.kind === 'local') return
  const marked = await readEnvironment(readerOf(connection), hostPaths(to.root))
  refuseOtherEnvironment(to.name, marked, environment)
}
