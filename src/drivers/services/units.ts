// The units beside the service that a supervisor keeps below a root: where their files lie, and what their text says. Pure.
import { join } from 'node:path'
import { walUnitName, type HostPaths } from '../../model/paths.ts'

const keptUnits: readonly string[] = [walUnitName]

/** Whether it is a unit of its own beside the service, with a supervisor of its own. */
export const isKeptUnit = (unit: string): boolean => keptUnits.includes(unit)

/** A unit's file, as systemd would read it. */
export const unitFile = (paths: Pick<HostPaths, 'unit'>, unit: string): string =>
  join(paths.unit, '..', `${unit}.service`)

/** What its supervisor writes down. */
export const unitStateFile = (paths: Pick<HostPaths, 'runtimeDir'>, unit: string): string =>
  join(paths.runtimeDir, `${unit}.json`)

/** Where its console goes. */
export const unitOutput = (paths: Pick<HostPaths, 'logDir'>, unit: string): string => join(paths.logDir, `${unit}.out`)
