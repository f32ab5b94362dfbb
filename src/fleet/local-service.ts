// The service below a root of this machine, where systemctl does not reach.
import { judgeLease } from '../engine/lease-file.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { execText } from '../system/exec.ts'
import { readTextIfAny } from '../system/files.ts'
import { refuseSharedRoot } from '../system/folder-trust.ts'

/**
 * Starts or stops it by the netops that was deployed there.
 * @throws NetopsError `refused` where nothing is deployed or others may write, `locked` while a run is at work
 */
export async function controlService(root: string, action: 'start' | 'stop'): Promise<void> {
  const paths = hostPaths(root)
  if ((await readTextIfAny(paths.config)) === undefined) {
    throw new NetopsError('refused', { message: `nothing is deployed below ${root}`, hint: 'netops deploy --root DIR' })
  }
  // It is run from there.
  await refuseSharedRoot(root)
  const held = await judgeLease(paths.lease)
  if (held !== undefined && held.standing !== 'dead') {
    const { run, reason } = held.lease
    throw new NetopsError('locked', { message: `run ${run} (${reason}) is at work below ${root}` })
  }
  await execText([paths.netopsLink, 'host', 'service', action, '--root', root])
}
