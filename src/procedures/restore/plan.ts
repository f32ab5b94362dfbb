// Brings a host's files and state back to what a backup holds: all is unpacked beside and checked before the service stops, and
// what was there is kept until the service is healthy. Pure.
import { dirname, join } from 'node:path'
import { isWithin } from '../../archive/names.ts'
import { unreadable } from '../../backups/restore-stage.ts'
import { placeOf, workName, type RestoreTask } from '../../backups/restore-task.ts'
import type { Effect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths, serverExecutable, serviceName, socketUnit, type HostPaths } from '../../model/paths.ts'
import { sequence, type Group, type Step, type Wait } from '../../model/plan.ts'
import { firstDataSchemas, type DataSchemas } from '../../model/release-traits.ts'
import type { ActivationRecord, Endpoints } from '../deploy/request.ts'
import { service, stepsOn, type MakeStep } from '../deploy/steps.ts'
import type { RestoreFacts } from './facts.ts'
import type { RestoreRequest } from './request.ts'
import { clearWork, databaseWork, putBackWork, stageWork, swapWork, workOf } from './works.ts'

/** The steps of a restore. @throws NetopsError `refused` where the installed release could not read what is restored */
export function planRestore(request: RestoreRequest, facts: RestoreFacts): Group {
  const steps = new RestoreSteps(request, facts)
  const { backup, host } = request
  return sequence(`Restore ${backup.id} on ${host}`, [
    ...steps.folders(),
    steps.stage(),
    ...(facts.installed === undefined
      ? [steps.swap()]
      : [steps.check(), steps.stop(), steps.swap(), steps.database(), steps.start(), steps.health(), steps.record()]),
    steps.clear(),
  ])
}

type Installed = NonNullable<RestoreFacts['installed']>

const stoppedDeadlineMs = 60_000

class RestoreSteps {
  readonly #request: RestoreRequest
  readonly #facts: RestoreFacts
  readonly #paths: HostPaths
  readonly #step: MakeStep
  readonly #task: RestoreTask
  /** Nothing is another, and no database is made. */
  readonly #idle: boolean

  constructor(request: RestoreRequest, facts: RestoreFacts) {
    this.#request = request
    this.#facts = facts
    this.#paths = hostPaths(request.root)
    this.#step = stepsOn(request.host)
    const { look } = facts
    this.#task = {
      run: request.run,
      base: request.root,
      archive: look.archive,
      tops: look.tops,
      places: look.places,
      leave: look.leave,
      database: databaseOf(request, facts),
    }
    const differing = look.replaced.count + look.added.count + look.removed.count + look.unsure
    this.#idle = differing === 0 && this.#task.database === null
  }

  /** Folders above those that are restored, where a host has none; each by itself, for netops makes some for its own use. */
  folders(): readonly Step[] {
    if (this.#idle) return []
    return this.#facts.look.missing.map((path) =>
      this.#step(`folder${path.replaceAll(/[^\w.]/g, '-')}`, `Make the folder ${path}`, {
        act: [{ kind: 'directory', path, mode: '0755' }],
        undo: [{ kind: 'remove-empty', path }],
      }),
    )
  }

  stage(): Step {
    return this.#step('stage', 'Verify the archive and unpack it beside', {
      unchanged: this.#idle,
      act: [workOf(stageWork, { task: this.#task })],
      undo: [this.#clearing('undone')],
    })
  }

  /** Nothing is stopped before the installed release itself accepts the configuration. */
  check(): Step {
    const { root } = this.#request
    const { config, look } = this.#facts
    const executable = join(this.#paths.current, serverExecutable)
    const relocated = root === '/' ? [] : ['--root', root]
    const named = (config?.names ?? []).filter((path) => look.files.includes(path))
    const restored = [...new Set(named)].flatMap((path) => ['--instead', `${path}=${this.#staged(path)}`])
    const isOurs = this.#installed.activation?.checksConfig === true
    const title = 'Check the configuration with the installed release'
    if (this.#idle || config === null || !isOurs) return this.#step('check', title, { unchanged: true, act: [] })
    const file = this.#staged('/etc/network_system/config.yaml')
    return this.#step('check', title, {
      act: [
        {
          kind: 'check',
          argv: [executable, '--config', file, ...relocated, '--check-config', ...restored],
          code: 'usage',
        },
      ],
    })
  }

  stop(): Step {
    const { service: now, hasSockets, isReady } = this.#installed
    const runs = now.state === 'running' || now.state === 'starting'
    return this.#step('stop', 'Stop the service gracefully', {
      unchanged: this.#idle || ((now.state === 'absent' || now.state === 'stopped') && !hasSockets),
      // A socket that went on would start it again.
      act: [...(hasSockets ? [service('stop', socketUnit)] : []), service('stop')],
      until: { probe: { kind: 'stopped', unit: serviceName }, holdForMs: 0, deadlineMs: stoppedDeadlineMs },
      // What did not run before is not started by an undo either, and what was not healthy is not waited for.
      ...(runs ? { undo: [...this.#forget(), service('start')] } : {}),
      ...(runs && isReady ? { undoUntil: this.#previousHealthy() } : {}),
    })
  }

  swap(): Step {
    return this.#step('swap', 'Put it in place, and keep what was there', {
      unchanged: this.#idle,
      act: [workOf(swapWork, { task: this.#task })],
      undo: [workOf(putBackWork, { task: this.#task })],
    })
  }

  /** Its undo is that of the swap, which has put aside what was there. */
  database(): Step {
    const { database } = this.#task
    const server = join(this.#paths.releases, this.#installed.release, serverExecutable)
    return this.#step('database', 'Make the database of the checkpoint', {
      unchanged: database === null,
      act: [workOf(databaseWork, { task: this.#task, server, roots: this.#facts.look.roots })],
    })
  }

  start(): Step {
    const { hasSockets } = this.#installed
    return this.#step('start', 'Start the service', {
      unchanged: this.#idle,
      act: [...this.#forget(), service('start')],
      undo: [...(hasSockets ? [service('stop', socketUnit)] : []), service('stop'), ...this.#forget()],
    })
  }

  health(): Step {
    const { minHealthyMs, healthyDeadlineMs } = this.#request
    return this.#step('health', 'Verify that the service is healthy', {
      unchanged: this.#idle,
      act: [],
      until: {
        probe: { kind: 'ready', url: this.#endpoints.readyUrl, unit: serviceName, release: this.#installed.release },
        holdForMs: minHealthyMs,
        deadlineMs: healthyDeadlineMs,
      },
    })
  }

  /** Another configuration than the one that was activated is in service from here on: a rollback goes back to that. */
  record(): Step {
    const { activation, last, sequence: next } = this.#installed
    const { config } = this.#facts
    const folder = join(this.#paths.history, this.#request.run)
    const isSame = config === null || config.sha256 === last?.configSha256
    if (this.#idle || isSame || activation === undefined) {
      return this.#step('record', 'Record the configuration in service', { unchanged: true, act: [] })
    }
    const record: ActivationRecord = {
      schema: 'netops/activation/v1',
      id: this.#request.run,
      sequence: next,
      reason: 'restore',
      release: activation.release,
      configSha256: config.sha256,
      endpoints: config.endpoints,
      checksConfig: activation.checksConfig,
      ...(last === undefined ? {} : { previous: last.id }),
    }
    return this.#step('record', 'Record the configuration in service', {
      act: [
        { kind: 'directory', path: folder, mode: '0700' },
        {
          kind: 'copy',
          from: this.#paths.config,
          path: join(folder, 'config.yaml'),
          mode: '0600',
          sha256: config.sha256,
        },
        { kind: 'write', path: join(folder, 'activation.json'), mode: '0600', content: `${JSON.stringify(record)}\n` },
      ],
      // Half a record must not count as what was in service.
      undo: [{ kind: 'remove-tree', path: folder }],
    })
  }

  /** From here on there is nothing to go back to. */
  clear(): Step {
    return this.#step('clear', 'Remove what was there before', {
      unchanged: this.#idle,
      commits: true,
      act: [this.#clearing('done')],
    })
  }

  #clearing(how: 'done' | 'undone'): Effect {
    return workOf(clearWork, { task: this.#task, roots: this.#facts.look.roots, how })
  }

  /** Where a file of the host lies until it is put in place. */
  #staged(path: string): string {
    const name = Buffer.from(path.slice(1), 'utf8').toString('latin1')
    const place = Buffer.from(placeOf(this.#task.places, name), 'latin1').toString('utf8')
    return join(this.#request.root, place, workName(this.#request.run), 'staged', path)
  }

  get #installed(): Installed {
    const { installed } = this.#facts
    if (installed === undefined) throw new TypeError('no service is installed')
    return installed
  }

  get #endpoints(): Endpoints {
    return endpointsOf(this.#request, this.#facts)
  }

  #previousHealthy(): Wait {
    const { release, last } = this.#installed
    return {
      probe: { kind: 'ready', url: (last?.endpoints ?? this.#endpoints).readyUrl, unit: serviceName, release },
      holdForMs: 1000,
      deadlineMs: this.#request.healthyDeadlineMs,
    }
  }

  #forget(): readonly Effect[] {
    const forget = service('forget-failures')
    return this.#installed.hasSockets ? [forget, service('forget-failures', socketUnit)] : [forget]
  }
}

/** Where the service answers afterwards. @throws NetopsError `refused` where nobody knows */
function endpointsOf({ host }: RestoreRequest, { config, installed }: RestoreFacts): Endpoints {
  const endpoints = config?.endpoints ?? installed?.endpoints ?? installed?.last?.endpoints
  if (endpoints !== undefined) return endpoints
  throw new NetopsError('refused', {
    host,
    message:
      'nobody knows where the service answers: its configuration is not restored, and the one in place is not valid',
    hint: 'restore the configuration too',
  })
}

/**
 * Which checkpoint becomes the database, if any does.
 * @throws NetopsError `refused` where the installed release does not read it, or nobody knows what it reads
 */
function databaseOf({ host }: RestoreRequest, facts: RestoreFacts): RestoreTask['database'] {
  const { look, installed, config, dataSchema } = facts
  const { checkpoint } = look
  const driver = config?.driver ?? installed?.driver ?? 'sqlite'
  if (checkpoint === null || driver === 'postgres') return null
  const folder = dirname(dirname(checkpoint.name))
  if (!look.tops.some((top) => isWithin(folder, top))) return null
  const task = { folder, checkpoint: checkpoint.name, bytes: checkpoint.bytes }
  if (installed === undefined) return { ...task, reads: null }
  const reads = readsOf(installed.activation)
  if (reads === undefined) {
    throw new NetopsError('refused', {
      host,
      message: `nobody knows which data schemas the installed release ${installed.release} reads; nothing was touched`,
      hint: 'deploy a release of network_server first; or restore the configuration alone: --only config',
    })
  }
  if (dataSchema !== null && (dataSchema < reads.from || dataSchema > reads.to)) throw unreadable(dataSchema, reads)
  return { ...task, reads }
}

/** What a release reads; undefined for a program that is not ours, or of which nothing was recorded. */
const readsOf = (activation: ActivationRecord | undefined): DataSchemas['reads'] | undefined =>
  activation?.checksConfig === true
    ? (activation.release.traits?.data ?? firstDataSchemas).reads
    : activation?.release.traits?.data?.reads
