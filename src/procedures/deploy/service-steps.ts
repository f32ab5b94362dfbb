// How an activation ends the old service and starts the new one. Where sockets are held for both, it restarts through them:
// who connects meanwhile waits. Where the sockets change, they end with the service, and the plan says so.
import { dirname } from 'node:path'
import type { Effect } from '../../model/effects.ts'
import { serviceName, socketUnit, type HostPaths } from '../../model/paths.ts'
import type { Step, Wait } from '../../model/plan.ts'
import type { ActivationFacts } from './facts.ts'
import type { Kept } from './kept.ts'
import type { ActivationRequest } from './request.ts'
import { service, type MakeStep } from './steps.ts'

const stoppedDeadlineMs = 60_000

interface ServiceStanding {
  readonly manager: ActivationRequest['manager']
  readonly facts: Pick<ActivationFacts, 'service' | 'socket' | 'missingFolders'>
  readonly paths: HostPaths
  readonly replaced: Kept
  /** The text of the socket unit; undefined where the service is to listen by itself. */
  readonly socket: string | undefined
  /** Whether anything about the service changes. */
  readonly restart: boolean
  /** Whether it runs under somebody who restarts it. */
  readonly kept: boolean
  /** What an undo that started the old one again waits for. */
  readonly previousHealthy: Wait
}

export class ServiceSteps {
  readonly #at: ServiceStanding
  readonly #step: MakeStep
  /** Whether sockets are held, or are to be. */
  readonly isAboutSockets: boolean
  /** Whether it restarts through sockets that stay as they are. */
  readonly isThroughSockets: boolean

  constructor(standing: ServiceStanding, step: MakeStep) {
    this.#at = standing
    this.#step = step
    const { socket, facts, kept, restart } = standing
    this.isAboutSockets = socket !== undefined || facts.socket !== undefined
    this.isThroughSockets = restart && kept && socket !== undefined && facts.socket === socket
  }

  /** Before what a restart is for: undone after it, so that the service starts again with what was there before. */
  wayBack(): Step {
    return this.#step('way-back', 'Keep the way back to the running service', {
      act: [],
      undo: [...this.#forget(), service('restart')],
      undoUntil: this.#at.previousHealthy,
    })
  }

  restart(): Step {
    return this.#step('restart', 'Restart the service; who connects meanwhile waits at its sockets', {
      act: [...this.#forget(), service('restart')],
    })
  }

  stop(): Step {
    const { facts, restart, previousHealthy } = this.#at
    const { state } = facts.service
    const running = state === 'running'
    const changes = running && facts.socket !== this.#at.socket
    const title = 'Stop the service gracefully'
    return this.#step('stop', changes ? `${title}: its sockets change, nobody can connect until it starts` : title, {
      unchanged: !restart || ((state === 'absent' || state === 'stopped') && facts.socket === undefined),
      // A socket that went on would start it again.
      act: [...(facts.socket === undefined ? [] : [service('stop', socketUnit)]), service('stop')],
      until: { probe: { kind: 'stopped', unit: serviceName }, holdForMs: 0, deadlineMs: stoppedDeadlineMs },
      // What did not run before is not started by an undo either.
      ...(running ? { undo: [...this.#forget(), service('start')], undoUntil: previousHealthy } : {}),
    })
  }

  start(): Step {
    const { restart, kept, socket } = this.#at
    return this.#step('start', 'Start the service', {
      unchanged: !restart && kept,
      act: [...this.#forget(), service('start')],
      // One that crashed until systemd gave up would stay on its list of failed units, and the host count as degraded.
      undo: [...(socket === undefined ? [] : [service('stop', socketUnit)]), service('stop'), ...this.#forget()],
    })
  }

  /** What is to lie in the socket unit's place: read by systemd, or below a root by the supervisor. */
  sockets(): Step {
    const { facts, socket, paths, replaced, manager } = this.#at
    const systemd = manager === 'systemd'
    const only = (...effects: Effect[]): readonly Effect[] => (systemd ? effects : [])
    const [enable, disable, reload] = [
      only(service('enable', socketUnit)),
      only(service('disable', socketUnit)),
      only(service('reload-units')),
    ]
    const back = replaced.back(paths.socket, 'socket')
    if (socket === undefined) {
      return this.#step('sockets', 'Remove the sockets', {
        act: [...disable, { kind: 'remove', path: paths.socket }, ...reload],
        undo: [back, ...reload, ...enable],
      })
    }
    const above = [dirname(dirname(paths.socket)), dirname(paths.socket)]
    const missing = above.filter((path) => facts.missingFolders.includes(path))
    const first = facts.socket === undefined
    const owner = systemd ? { owner: 'root' } : {}
    return this.#step('sockets', 'Install the sockets', {
      unchanged: facts.socket === socket,
      act: [
        ...missing.map((path): Effect => ({ kind: 'directory', path, mode: '0755', ...owner })),
        { kind: 'write', path: paths.socket, content: socket, mode: '0644', ...owner },
        ...reload,
        ...enable,
      ],
      undo: [
        ...(first ? disable : []),
        back,
        ...missing.toReversed().map((path): Effect => ({ kind: 'remove-empty', path })),
        ...reload,
      ],
    })
  }

  #forget(): readonly Effect[] {
    const forget = service('forget-failures')
    return this.isAboutSockets ? [forget, service('forget-failures', socketUnit)] : [forget]
  }
}
