// Reads the tuning facts of every host of a fleet; a host that cannot be read is an answer too.
import { readerOf } from '../drivers/hosts/readers.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { readTuningFacts, type TuningFacts, type TuningPlace } from '../procedures/tune/facts.ts'
import type { CommandContext } from '../cli/command.ts'
import { connect } from './connect.ts'
import type { Fleet, Target } from './fleet.ts'
import { servicesFor } from '../drivers/services/choose.ts'

export interface ReadHost {
  readonly place: TuningPlace
  readonly facts: TuningFacts
}

export type Answer<T> = { readonly host: string } & ({ readonly value: T } | { readonly error: NetopsError })

/** Reads each host and makes something of it; only plain commands, no netops needed there. */
export function readHosts<T>(
  fleet: Fleet,
  set: TuningPlace['set'],
  context: CommandContext,
  make: (read: ReadHost) => T,
): Promise<readonly Answer<T>[]> {
  return Promise.all(
    fleet.targets.map(async (to): Promise<Answer<T>> => {
      try {
        return { host: to.name, value: make(await readHost(to, set, context)) }
      } catch (thrown) {
        return { host: to.name, error: locate(thrown, { host: to.name }) }
      }
    }),
  )
}

async function readHost(to: Target, set: TuningPlace['set'], context: CommandContext): Promise<ReadHost> {
  const connection = await connect(to, context)
  try {
    const services = servicesFor(to.root, hostPaths(to.root).netopsLink)
    const place: TuningPlace = { host: to.name, root: to.root, manager: services.kind, set }
    return { place, facts: await readTuningFacts(readerOf(connection), services, place) }
  } finally {
    await connection.close()
  }
}

/** What a document says of a host that could not be read. */
export const failureOf = ({ code, message, hint }: NetopsError) => ({ code, message, hint })
