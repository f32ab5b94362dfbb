// What goes wrong with hosts, on purpose: a silent network, a pulled plug, and the way back from both.
import { setTimeout as sleep } from 'node:timers/promises'
import { NetopsError } from '../model/errors.ts'
import { identify, signalProcess } from '../system/processes.ts'
import { bootHost, initProcess, waitUntilReady } from './host.ts'
import { setCut } from './network.ts'
import { findHost, readKeeper } from './state.ts'
import type { LabHost } from './state.ts'

/** Drops every frame to and from a host, without a word to either side; its links stay up. */
export async function cutNetwork(ref: LabHost): Promise<void> {
  const { host } = await findHost(ref)
  await setCut(ref.lab, host.machine, 'cut')
}

/** Ends {@link cutNetwork}; without one it changes nothing. */
export async function restoreNetwork(ref: LabHost): Promise<void> {
  const { host } = await findHost(ref)
  await setCut(ref.lab, host.machine, 'whole')
}

/** Pulls a host's plug: its process 1 gets SIGKILL, and nothing on it a chance to end well. Its files stay. */
export async function powerOff(ref: LabHost): Promise<void> {
  await findHost(ref)
  const init = await identify(await initProcess(ref))
  if (init !== undefined) await signalProcess(init, 'SIGKILL')
  for (let waits = 0; (await readKeeper(ref))?.alive === true; waits += 1) {
    if (waits > 200) throw new NetopsError('failed', { host: ref.name, message: `${ref.name} does not end` })
    await sleep(50)
  }
}

/** Boots a host that was powered off, with the files it had, and waits until it is ready. */
export async function powerOn(ref: LabHost): Promise<void> {
  const { record, host } = await findHost(ref)
  if ((await readKeeper(ref))?.alive === true) {
    throw new NetopsError('usage', { host: ref.name, message: `${ref.name} is already running` })
  }
  await bootHost(record, host)
  await waitUntilReady(record, host)
}
