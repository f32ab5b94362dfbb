// Who works with the data: one service, or one restore, at a time.
import { join } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { tryProcessLock, type ProcessLock } from '../../system/process-lock.ts'

/**
 * Takes the data folder for this process, for as long as it lives or until it gives it back.
 * @throws NetopsError `locked` while another process has it
 */
export async function holdData(dataDir: string): Promise<ProcessLock> {
  const lock = await tryProcessLock(join(dataDir, 'in-use.lock'))
  if (lock !== undefined) return lock
  throw new NetopsError('locked', {
    message: `another network_server works with ${dataDir}: the service, or a restore`,
    hint: 'stop it first: systemctl stop network_service, or netops service stop --root DIR',
  })
}
