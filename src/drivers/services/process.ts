// Services without systemd: netops' own supervisor, started and stopped by the netops build that lies on the host.
import { hostPaths, serviceOutput, socketUnit } from '../../model/paths.ts'
import { quoteCommand } from '../../model/quote.ts'
import { parseState, putAside, readStateBy } from '../../model/state-text.ts'
import { startTimeIn } from '../../system/processes.ts'
import type { HostReader } from '../hosts/port.ts'
import type { ServiceManager, ServiceState } from './port.ts'
import { supervisorFile, supervisorState, type SupervisorState } from './supervisor-state.ts'
import { isKeptUnit, unitFile, unitOutput, unitStateFile } from './units.ts'

/**
 * @param root the folder that everything lies below
 * @param netops the netops executable on the host that becomes the supervisor
 */
export const processServices = (root: string, netops: string): ServiceManager => ({
  kind: 'process',
  root,
  commandsOf({ action, unit }) {
    // The supervisor holds the sockets: they come and go with it.
    if (unit === socketUnit) return []
    switch (action) {
      case 'start':
      case 'stop':
      case 'restart':
        return [
          { argv: [netops, 'host', 'service', action, ...(isKeptUnit(unit) ? ['--unit', unit] : []), '--root', root] },
        ]
      // Starting at boot, unit files and remembered failures are systemd's.
      case 'enable':
      case 'disable':
      case 'reload-units':
      case 'forget-failures':
        return []
    }
  },
  logsCommand: (unit) => ['tail', '-n', '50', outputOf(root, unit)],
  async logSince(reader, unit, from, lines) {
    const file = outputOf(root, unit)
    // tail(1) counts bytes from 1.
    const words = [String(Number(from) + 1), file, String(mostLogBytes), String(lines)]
    const { stdout } = await reader.query(['sh', '-c', logTail, 'sh', ...words])
    return stdout.split('\n').slice(0, -1)
  },
  async read(reader, unit) {
    const paths = hostPaths(root)
    const [path, own] = isKeptUnit(unit)
      ? [unitStateFile(paths, unit), unitFile(paths, unit)]
      : [supervisorFile(paths), paths.current]
    const text = await readStateBy({ path, host: reader.name, hint: putAside(path) }, (file) => reader.readText(file))
    if (text === undefined) return { ...stopped, state: (await reader.exists(own)) ? 'stopped' : 'absent' }
    const [stop, start] = ['stop', 'start'].map((action) => quoteCommand(['netops', 'service', action, '--root', root]))
    const hint = `end all that runs below this root, and start it again: ${stop} && ${start}`
    const state = parseState(supervisorState, text, { path, host: reader.name, hint })
    const [supervised, childLives] = await Promise.all([lives(reader, state.supervisor), lives(reader, state.child)])
    return judge(state, supervised, childLives)
  },
  // The supervisor sets none: its service has those of whoever started it.
  readLimits: () => Promise.resolve({}),
})

const outputOf = (root: string, unit: string): string =>
  isKeptUnit(unit) ? unitOutput(hostPaths(root), unit) : serviceOutput(hostPaths(root))

const mostLogBytes = 64 * 1024
const logTail = 'tail -c "+$1" -- "$2" | tail -c "$3" | tail -n "$4"'

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
  const { child, restarts, since, ended } = state
  const log = state.outputFrom === undefined ? {} : { logFrom: String(state.outputFrom) }
  if (childLives && child !== undefined) {
    const startId = `${child.pid}-${child.startTime}`
    const alone = supervised ? {} : ({ unsupervised: true } as const)
    return { state: 'running', mainPid: child.pid, startId, restarts, since, ...alone, ...log }
  }
  const gone = { ...stopped, restarts, ...(ended === undefined ? {} : { ended }), ...log }
  if (state.state === 'failed') return { ...gone, state: 'failed' }
  return supervised ? { ...gone, state: 'starting' } : { ...stopped, ...log }
}
