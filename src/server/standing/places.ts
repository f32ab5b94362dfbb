// Where a service keeps what only it and its operators use, below its data folder.
import { join } from 'node:path'
import { hostPaths } from '../../model/paths.ts'

/** SQLite's file in the data folder. */
export const databaseName = 'state.db'

const inData = (root: string, name: string): string => join(hostPaths(root).dataDir, name)

export const databaseFile = (root: string): string => inData(root, databaseName)
export const checkpointFolder = (root: string): string => inData(root, 'checkpoints')
export const controlFolder = (root: string): string => inData(root, 'control')
export const roleFile = (root: string): string => inData(root, 'role.json')
/** guide: Planned Maintenance */
export const maintenanceFlag = (root: string): string => join(hostPaths(root).runtimeDir, 'maintenance')
