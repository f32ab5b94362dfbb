// Services without systemd: netops' own supervisor, started and stopped by the netops build that lies on the host.
import { hostPaths, serviceOutput } from '../../model/paths.ts'
import { startTimeIn } from '../../system/processes.ts'
import type { HostReader } from '../hosts/port.ts'
import type { ServiceManager, ServiceState } from './port.ts'
import { supervisorFile, supervisorState, type SupervisorState } from './supervisor.ts'

/**
 * @param root the folder that everything lies below
 * @param netops the netops executable on the host that becomes the supervisor
 */
export const processServices = (root: string, netops: string): ServiceManager => ({
  kind: 'process',
  commandsOf({ action }) {
    switch (action) {
      case 'start':
      case 'stop':
        return [{ argv: [netops, 'host', 'service', action, '--root', root] }]
      // Starting at boot, unit files and remembered failures are systemd's.
      case 'enable':
      case 'disable':
      case 'reload-units':
      case 'forget-failures':
        return []
    }
  },
  logsCommand: () => ['tail', '-n', '50', serviceOutput(hostPaths(root))],
  async read(reader) {
    const paths = hostPaths(root)
    const text = await reader.readText(supervisorFile(paths))
    if (text === undefined) return { ...stopped, state: (await reader.exists(paths.current)) ? 'stopped' : 'absent' }
    const state = supervisorState.parse(JSON.parse(text))
    const [supervised, childLives] = await Promise.all([lives(reader, state.supervisor), lives(reader, state.child)])
    return judge(state, supervised, childLives)
  },
  // The supervisor sets none: its service has those of whoever started it.
  readLimits: () => Promise.resolve({}),
})

const stopped: ServiceState = {
  state: 'stopped',
  mainPid: undefined,
  startId: undefined,
  restarts: 0,
  since: undefined,
}

async function lives(reader: HostReader, identity: SupervisorState['child']): Promise<boolean> {
  if (identity === undefined) return false
  const stat = await reader.readText(`/proc/${identity.pid}/stat`)
  return stat !== undefined && startTimeIn(stat) === identity.startTime
}

function judge(state: SupervisorState, supervised: boolean, childLives: boolean): ServiceState {
  const { child, restarts, since } = state
  if (childLives && child !== undefined) {
    return { state: 'running', mainPid: child.pid, startId: `${child.pid}-${child.startTime}`, restarts, since }
  }
  if (state.state === 'failed') return { ...stopped, state: 'failed', restarts }
  return supervised ? { ...stopped, state: 'starting', restarts } : stopped
}
