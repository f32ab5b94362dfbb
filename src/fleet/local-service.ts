// The service of this machine: systemd's, or below a root that of a supervisor.
import { systemd } from '../drivers/services/systemd.ts'
import { judgeLease } from '../engine/lease-file.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths, serviceName, socketUnit } from '../model/paths.ts'
import { exec, execText } from '../system/exec.ts'
import { readTextIfAny } from '../system/files.ts'
import { refuseSharedRoot } from '../system/folder-trust.ts'

type Action = 'start' | 'stop' | 'restart'

/**
 * Starts, stops or restarts it; below a root by the netops that was deployed there.
 * @throws NetopsError `refused` where nothing is deployed or others may write, `locked` while a run is at work
 */
export async function controlService(root: string, action: Action): Promise<void> {
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
  if (root === '/') return controlUnits(action)
  await execText([paths.netopsLink, 'host', 'service', action, '--root', root])
}

/** A stop that left the sockets would start it again at the next connection. */
async function controlUnits(action: Action): Promise<void> {
  const units = action === 'stop' ? [socketUnit, serviceName] : [serviceName]
  for (const { argv, okCodes = [0] } of units.flatMap((unit) =>
    systemd.commandsOf({ kind: 'service', unit, action }),
  )) {
    const { code, stderr } = await exec(argv)
    if (okCodes.includes(code)) continue
    throw new NetopsError('failed', { message: `${argv.join(' ')} exited with ${code}: ${stderr.trim()}` })
  }
}
