// Brings one release with one configuration into service on one host: the guide's six deployment steps, made safe.
// Order (docs/decisions.md): everything is verified and in place before the stop, and kept until the new one is healthy.
import { basename, dirname, join } from 'node:path'
import type { ActivationRequest, ActivationRecord } from './request.ts'
import type { Effect } from '../../model/effects.ts'
import { hostPaths, serverExecutable, serviceName, serviceUser } from '../../model/paths.ts'
import { sequence, type Group, type Step, type Wait } from '../../model/plan.ts'
import { render } from '../../system/template.ts'
import { ownFolders, releaseBefore, type ActivationFacts } from './facts.ts'
import { inService, nextSequence } from './history.ts'
import { planFiles, type FilePlacement } from './placed-files.ts'
import { Kept } from './kept.ts'
import { renderSockets, socketLines } from '../sockets.ts'
import { ServiceSteps } from './service-steps.ts'
import { service, stepsOn, type MakeStep } from './steps.ts'
import { planTidying } from './tidy.ts'

/** Texts of the templates that an activation renders. */
export interface ActivationTemplates {
  readonly unit: string
  readonly tmpfiles: string
  readonly socket: string
}

/** The steps that bring a release into service; those whose result is there already are marked unchanged. Pure. */
export function planActivation(
  input: ActivationRequest,
  facts: ActivationFacts,
  templates: ActivationTemplates,
): Group {
  const steps = new ActivationSteps(input, facts, templates)
  const { life } = steps
  return sequence(`Activate ${input.release.id} on ${input.host}`, [
    steps.check(),
    steps.prepare(),
    steps.backUpConfig(),
    steps.deployBinaries(),
    // Behind sockets that stay it goes on serving until all is in place.
    life.isThroughSockets ? life.wayBack() : life.stop(),
    steps.switchRelease(),
    steps.updateConfig(),
    ...(input.files === undefined ? [] : [steps.placeFiles()]),
    ...(life.isAboutSockets ? [life.sockets()] : []),
    ...(input.manager === 'systemd' ? [steps.installUnit()] : []),
    life.isThroughSockets ? life.restart() : life.start(),
    steps.verifyHealth(),
    steps.record(),
    steps.tidy(),
  ])
}

class ActivationSteps {
  readonly #input: ActivationRequest
  readonly #facts: ActivationFacts
  readonly #paths
  readonly #files
  readonly #replaced: Kept
  readonly #placement: FilePlacement
  readonly #same
  readonly #step: MakeStep
  /** Its steps that stop and start the service. */
  readonly life: ServiceSteps
  /** The release that an undo brings back. */
  readonly #before: string | undefined
  readonly #kept: boolean
  readonly #restart: boolean

  constructor(input: ActivationRequest, facts: ActivationFacts, templates: ActivationTemplates) {
    this.#input = input
    this.#facts = facts
    this.#paths = hostPaths(input.root)
    const paths = this.#paths
    this.#step = stepsOn(input.host)
    const socket =
      input.release.traits?.sockets === true
        ? renderSockets(templates.socket, input.endpoints.listen, facts)
        : undefined
    this.#files = {
      release: join(paths.releases, input.release.id, serverExecutable),
      incoming: join(paths.incoming, input.run),
      unit: render(templates.unit, {
        user: serviceUser,
        server: join(paths.current, serverExecutable),
        config: paths.config,
        dataDir: paths.dataDir,
        logDir: paths.logDir,
        sockets: socketLines(socket !== undefined),
      }),
      tmpfiles: render(templates.tmpfiles, { user: serviceUser }),
    }
    this.#same = {
      release: facts.current === input.release.id && facts.releaseSha256 === input.release.sha256,
      config: facts.configSha256 === input.config.sha256,
      socket: facts.socket === socket,
      unit: input.manager === 'process' || (facts.unit === this.#files.unit && facts.tmpfiles === this.#files.tmpfiles),
    }
    const running = facts.service.state === 'running'
    this.#before = releaseBefore(facts)
    // One that nothing would restart gets a supervisor again.
    this.#kept = running && facts.service.unsupervised !== true
    this.#replaced = new Kept(facts.present, join(paths.runs, input.run, 'saved'))
    this.#placement = planFiles(input, facts, this.#replaced)
    const { release, config, unit } = this.#same
    this.#restart = !(release && config && unit && this.#same.socket) || this.#placement.count > 0
    this.life = new ServiceSteps(
      {
        ...{ manager: input.manager, facts, paths, socket, replaced: this.#replaced },
        ...{ restart: this.#restart, kept: this.#kept, previousHealthy: this.#previousHealthy() },
      },
      this.#step,
    )
  }

  /** Nothing is stopped before the new release itself accepts the configuration. */
  check(): Step {
    const { release, config, root } = this.#input
    const executable = release.from ?? this.#files.release
    const relocated = root === '/' ? [] : ['--root', root]
    // Checked as they were brought: they are put in place only after the stop.
    const brought = (this.#input.files ?? []).flatMap(({ from, to }) => ['--instead', `${to}=${from}`])
    return this.#step('check', 'Check the configuration with the new release', {
      unchanged: !this.#restart,
      act: release.checksConfig
        ? [
            {
              kind: 'check',
              argv: [executable, '--config', config.from, ...relocated, '--check-config', ...brought],
              code: 'usage',
            },
          ]
        : [],
      undo: [{ kind: 'remove-tree', path: this.#files.incoming }],
    })
  }

  prepare(): Step {
    const missing = new Set(this.#facts.missingFolders)
    const folders = ownFolders(this.#paths).filter((path) => missing.has(path))
    const theirs = new Set([this.#paths.dataDir, this.#paths.logDir, this.#paths.runtimeDir])
    const account = this.#input.manager === 'systemd' && !this.#facts.account
    const { environment } = this.#input
    const marker = this.#paths.environment
    const mark = environment !== undefined && this.#facts.environment === undefined
    return this.#step('prepare', 'Prepare the service account and folders', {
      unchanged: folders.length === 0 && !account && !mark,
      act: [
        ...(mark
          ? ([
              { kind: 'directory', path: dirname(marker), mode: '0755', ...this.#owner('root') },
              { kind: 'write', path: marker, content: `${environment}\n`, mode: '0644', ...this.#owner('root') },
            ] as const)
          : []),
        ...(account ? [{ kind: 'account', user: serviceUser } as const] : []),
        ...folders.map((path): Effect => {
          const mode = path === this.#paths.dataDir || path === this.#paths.logDir ? '0750' : '0755'
          return { kind: 'directory', path, mode, ...this.#owner(theirs.has(path) ? serviceUser : 'root') }
        }),
      ],
      // The account stays: it owns the log of the attempt, which tells why it failed.
      undo: [
        ...folders.toReversed().map((path): Effect => ({ kind: 'remove-empty', path })),
        ...(mark
          ? ([
              { kind: 'remove', path: marker },
              { kind: 'remove-empty', path: dirname(marker) },
            ] as const)
          : []),
      ],
    })
  }

  backUpConfig(): Step {
    const { config, unit, tmpfiles, socket, serverLink, netopsLink, current } = this.#paths
    const replaced = [
      ...(this.#same.config ? [] : this.#replaced.aside(config, 'config.yaml', this.#facts.configSha256)),
      ...this.#placement.putAside,
      ...(this.#same.unit
        ? []
        : [...this.#replaced.aside(unit, 'unit'), ...this.#replaced.aside(tmpfiles, 'tmpfiles')]),
      ...(this.#same.socket ? [] : this.#replaced.aside(socket, 'socket')),
      ...(this.#same.release ? [] : this.#replaced.asideLink(current, 'current')),
      ...(this.#same.release ? [] : this.#replaced.asideLink(serverLink, 'network_server')),
      ...(this.#restart ? this.#replaced.asideLink(netopsLink, 'netops') : []),
    ]
    return this.#step('backup', 'Back up the current configuration', {
      unchanged: replaced.length === 0,
      act: [...this.#replaced.prepared(replaced)],
    })
  }

  deployBinaries(): Step {
    const { release } = this.#input
    const folder = dirname(this.#files.release)
    const there = this.#facts.releaseSha256 === release.sha256
    return this.#step('binaries', `Deploy the new binaries (${release.id})`, {
      unchanged: there,
      act: there
        ? []
        : [
            { kind: 'directory', path: folder, mode: '0755', ...this.#owner('root') },
            {
              kind: 'copy',
              from: release.from ?? this.#files.release,
              path: this.#files.release,
              mode: '0755',
              ...this.#owner('root'),
              sha256: release.sha256,
            },
          ],
      // A folder that was there before, whatever its content, may be what serves: an undo leaves it.
      undo: this.#facts.releases.includes(release.id) ? [] : [{ kind: 'remove-tree', path: folder }],
    })
  }

  switchRelease(): Step {
    const { current, serverLink } = this.#paths
    return this.#step('switch', `Switch to ${this.#input.release.id}`, {
      unchanged: this.#same.release,
      act: [
        { kind: 'link', path: current, target: join('releases', this.#input.release.id) },
        { kind: 'link', path: serverLink, target: join(current, serverExecutable) },
      ],
      undo: [
        this.#replaced.backLink(serverLink, 'network_server'),
        // A link that is gone does not keep a service from running that was started by it.
        (this.#facts.present[current]?.kind ?? 'absent') === 'absent' && this.#before !== undefined
          ? { kind: 'link', path: current, target: join('releases', this.#before) }
          : this.#replaced.backLink(current, 'current'),
      ],
    })
  }

  updateConfig(): Step {
    const { config } = this.#paths
    const access = { mode: '0640', ...this.#owner(`root:${serviceUser}`) }
    return this.#step('config', 'Update the configuration', {
      unchanged: this.#same.config,
      act: [
        { kind: 'copy', from: this.#input.config.from, path: config, ...access, sha256: this.#input.config.sha256 },
      ],
      undo: [this.#replaced.back(config, 'config.yaml', this.#facts.configSha256)],
    })
  }

  placeFiles(): Step {
    const { count, place, putBack } = this.#placement
    return this.#step('files', `Place ${count === 1 ? 'a file' : `${count} files`}`, {
      act: [...place],
      undo: [...putBack],
    })
  }

  installUnit(): Step {
    const { unit, tmpfiles } = this.#paths
    const put = (path: string, content: string): Effect => ({
      kind: 'write',
      path,
      content,
      mode: '0644',
      owner: 'root',
    })
    const first = this.#facts.unit === undefined
    return this.#step('unit', 'Install the systemd unit', {
      unchanged: this.#same.unit,
      act: [
        put(unit, this.#files.unit),
        put(tmpfiles, this.#files.tmpfiles),
        service('reload-units'),
        service('enable'),
      ],
      undo: [
        ...(first ? [service('disable')] : []),
        this.#replaced.back(unit, 'unit'),
        this.#replaced.back(tmpfiles, 'tmpfiles'),
        service('reload-units'),
      ],
    })
  }

  verifyHealth(): Step {
    const { endpoints, release, minHealthyMs, healthyDeadlineMs } = this.#input
    const fresh = this.#restart || !this.#kept
    return this.#step('health', 'Verify that the service is healthy', {
      act: [],
      until: {
        probe: { kind: 'ready', url: endpoints.readyUrl, unit: serviceName, release: release.id },
        holdForMs: fresh ? minHealthyMs : 0,
        deadlineMs: fresh ? healthyDeadlineMs : Math.min(healthyDeadlineMs, 10_000),
      },
    })
  }

  record(): Step {
    const folder = join(this.#paths.history, this.#input.run)
    const { checksConfig } = this.#input.release
    const { id, version, sha256, size, traits } = this.#input.release
    const record: ActivationRecord = {
      schema: 'netops/activation/v1',
      id: this.#input.run,
      sequence: nextSequence(this.#facts),
      reason: this.#input.reason,
      release: { id, version, sha256, size, ...(traits === undefined ? {} : { traits }) },
      configSha256: this.#input.config.sha256,
      endpoints: this.#input.endpoints,
      checksConfig,
      ...this.#previousOf(),
    }
    return this.#step('record', 'Record the activation', {
      unchanged: !this.#restart && inService(this.#facts, this.#facts) !== undefined,
      commits: true,
      act: [
        { kind: 'directory', path: folder, mode: '0700' },
        {
          kind: 'copy',
          from: this.#paths.config,
          path: join(folder, 'config.yaml'),
          mode: '0600',
          sha256: this.#input.config.sha256,
        },
        { kind: 'write', path: join(folder, 'activation.json'), mode: '0600', content: `${JSON.stringify(record)}\n` },
        { kind: 'link', path: this.#paths.netopsLink, target: this.#input.netops },
      ],
      // Half a record must not count as what was in service.
      undo: [this.#replaced.backLink(this.#paths.netopsLink, 'netops'), { kind: 'remove-tree', path: folder }],
    })
  }

  tidy(): Step {
    const { title, act } = planTidying(this.#input, this.#facts, this.#paths)
    return this.#step('tidy', title, {
      unchanged: !this.#restart,
      act: [{ kind: 'remove-tree', path: this.#files.incoming }, ...act],
    })
  }

  /** A rollback stands where the activation it restores stood; everything else comes after what is in service. */
  #previousOf(): { previous?: string } {
    const { activations } = this.#facts
    const { restores } = this.#input
    const previous =
      restores === undefined ? activations.at(-1)?.id : activations.find((entry) => entry.id === restores)?.previous
    return previous === undefined ? {} : { previous }
  }

  #previousHealthy(): Wait {
    const before = this.#facts.activations.at(-1)
    return {
      probe: {
        kind: 'ready',
        url: (before?.endpoints ?? this.#input.endpoints).readyUrl,
        unit: serviceName,
        release: this.#before ?? basename(this.#facts.present[this.#paths.current]?.target ?? this.#input.release.id),
      },
      holdForMs: 1000,
      deadlineMs: this.#input.healthyDeadlineMs,
    }
  }

  /** Below a relocated root everything belongs to whoever runs netops. */
  #owner(owner: string): { owner?: string } {
    return this.#input.manager === 'systemd' ? { owner } : {}
  }
}
