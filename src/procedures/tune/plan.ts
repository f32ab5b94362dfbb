// Tunes one host, or takes its tuning back: kernel parameters, limits, threads and pools (guide: Performance Tuning).
// What was there before is written down before anything is changed, and kept until it is put back.
import { formatProblems } from '../../config/problems.ts'
import { checkServerConfig } from '../../config/server-config.ts'
import { NetopsError } from '../../model/errors.ts'
import { puttingBack, type Effect } from '../../model/effects.ts'
import { laterInUnit } from '../../model/limits-files.ts'
import { hostPaths, serviceName, socketUnit } from '../../model/paths.ts'
import { sequence, type Group, type Step, type Wait } from '../../model/plan.ts'
import { sameSysctl } from '../../model/sysctl.ts'
import { limitSettings, serverSettings, type FileState, type TuningRecord } from '../../model/tuning.ts'
import { service } from '../deploy/steps.ts'
import { type TuningRequest } from './request.ts'
import { granted, type TuningFacts } from './facts.ts'
import { goalOf, isBelow, sameFile, wantedOf, type Goal, type TuningTemplates } from './goal.ts'
import { forgetOriginals, keepOriginals, newlyKept } from './originals.ts'
import { canonicalJson } from '../../model/json.ts'

/** The steps of tuning a host or of taking it back; those whose result is there already are marked unchanged. Pure. */
export function planTuning(request: TuningRequest, facts: TuningFacts, templates: TuningTemplates): Group {
  const steps = new TuningSteps(request, facts, goalOf(request, facts, templates))
  const apply = request.action === 'apply'
  const sockets = facts.socket === undefined ? [] : [steps.sockets()]
  const restart = request.restart ? [...sockets, steps.restart()] : []
  return sequence(`${apply ? 'Tune' : 'Take the tuning back on'} ${request.host}`, [
    ...(apply ? [steps.record()] : []),
    steps.sysctlFile(),
    ...(request.manager === 'systemd' ? [steps.sysctl()] : []),
    ...(request.restart ? [steps.wayBack()] : []),
    steps.limitsFile(),
    steps.unitLimits(),
    steps.environment(),
    ...restart,
    ...(apply ? [] : [steps.record()]),
  ])
}

/** Refuses what would fail later, or could not be put back, before anything on the host is touched. */
export function refuseUntunable(request: TuningRequest, facts: TuningFacts): void {
  const { host } = request
  for (const [path, state] of Object.entries(facts.files)) {
    if (state.kind !== 'other') continue
    throw new NetopsError('refused', {
      host,
      message: `${path} is ${state.what}: it could not be put back as it was`,
      hint: 'move it aside, then run the same command again',
    })
  }
  if (request.restart && facts.service.state === 'running' && facts.serves === undefined) {
    throw new NetopsError('refused', {
      host,
      message: 'the service was not deployed by netops, so nobody knows how to tell that it is healthy after a restart',
      hint: 'run the command without --restart, then restart the service yourself',
    })
  }
  if (request.action === 'apply') refuseUnfit(request, facts)
}

/** Settings of the server that do not fit together: with them it would not start again. */
function refuseUnfit(request: TuningRequest, facts: TuningFacts): void {
  const wanted = wantedOf(request, facts).map(({ name, value }): [string, string] => [name, value])
  const env = Object.fromEntries(
    [...Object.entries(facts.config), ...wanted].flatMap(([name, value]) => {
      const variable = serverSettings[name]
      return variable === undefined ? [] : [[variable, value]]
    }),
  )
  const checked = checkServerConfig('', 'config.yaml', { env })
  if (!('problems' in checked)) return
  const names = [...new Set(checked.problems.map(({ path }) => path))]
  throw new NetopsError('refused', {
    host: request.host,
    message: `the service would not start with these settings and the configuration of the host: ${formatProblems(checked.problems)}`,
    hint: `leave them as they are with --skip ${names.join(',')}, or change the configuration`,
  })
}

class TuningSteps {
  readonly #request: TuningRequest
  readonly #facts: TuningFacts
  readonly #goal: Goal
  readonly #paths
  readonly #real: boolean

  constructor(request: TuningRequest, facts: TuningFacts, goal: Goal) {
    this.#request = request
    this.#facts = facts
    this.#goal = goal
    this.#paths = hostPaths(request.root)
    this.#real = request.manager === 'systemd'
  }

  /** First when tuning, last when taking it back: as long as anything is set, it says what was there before. */
  record(): Step {
    const { tuning } = this.#paths
    const before = this.#facts.files[tuning] ?? absent
    const wanted = this.#goal.record
    const known = this.#facts.record
    const withoutRun = (record: TuningRecord | undefined): string => canonicalJson({ ...record, run: '' })
    const same = wanted === undefined ? known === undefined : withoutRun(known) === withoutRun(wanted)
    const goal: FileState =
      wanted === undefined
        ? absent
        : { kind: 'file', content: `${JSON.stringify(wanted, undefined, 2)}\n`, mode: '0600', owner: '' }
    const title = wanted === undefined ? 'Forget the original values' : 'Record the original values'
    const copies =
      wanted === undefined ? forgetOriginals(this.#paths, known) : keepOriginals(this.#paths, known, wanted)
    // A record that names a copy has one.
    const [act, undo] = [put(tuning, goal), put(tuning, before)]
    return this.#step('record', title, {
      unchanged: same,
      act: wanted === undefined ? [...act, ...copies.act] : [...copies.act, ...act],
      undo: wanted === undefined ? [...copies.undo, ...undo] : [...undo, ...copies.undo],
    })
  }

  sysctlFile(): Step {
    return this.#step('sysctl-file', 'Write the kernel parameters for the next start', this.#file('sysctlDropIn'))
  }

  sysctl(): Step {
    const { kernel } = this.#facts
    const changed = Object.entries(this.#goal.kernel).filter(([key, value]) => {
      const now = kernel[key]
      return now === undefined || !sameSysctl(now.value, value)
    })
    const values = Object.fromEntries(changed)
    const before = Object.fromEntries(changed.toReversed().map(([key]) => [key, kernel[key]?.value ?? '']))
    return this.#step('sysctl', 'Set the kernel parameters', {
      unchanged: changed.length === 0,
      act: [{ kind: 'sysctl', values }],
      // A value that is set can be read at once: this is no wait but a look.
      until: { probe: { kind: 'sysctl', values }, holdForMs: 0, deadlineMs: 1000 },
      undo: [{ kind: 'sysctl', values: before }],
    })
  }

  limitsFile(): Step {
    return this.#step('limits-file', 'Write the limits for sessions of the account', this.#file('limitsDropIn'))
  }

  unitLimits(): Step {
    const parts = this.#file('unitDropIn')
    const limits = this.#unitGoal()
    const { unit } = this.#facts
    const inEffect = Object.entries(limits).every(([name, value]) => unit.limits[name] === value)
    const reload: Effect[] = this.#real ? [service('reload-units')] : []
    const wait: { until?: Wait } =
      Object.keys(limits).length === 0
        ? {}
        : {
            until: {
              probe: { kind: 'unit-limits', unit: serviceName, limits: bySystemd(limits) },
              holdForMs: 0,
              deadlineMs: 1000,
            },
          }
    return this.#step('unit-limits', "Write the service's limits", {
      unchanged: parts.unchanged && inEffect,
      act: [...(parts.unchanged ? [] : parts.act), ...reload],
      undo: [...(parts.unchanged ? [] : parts.undo), ...reload],
      ...wait,
    })
  }

  environment(): Step {
    return this.#step('environment', "Write the service's threads and pools", this.#file('tuningEnvironment'))
  }

  /** Before what a restart is for: undone after it, so that the service starts again with what was there before. */
  wayBack(): Step {
    return this.#step('way-back', 'Keep the way back to the running service', {
      unchanged: !this.#restarts(),
      act: [],
      undo: [...this.#forget(), service(this.#through() ? 'restart' : 'start')],
      ...this.#ready('undoUntil', 1000),
    })
  }

  /** As many sockets as there are to be threads. */
  sockets(): Step {
    const { socket: path } = this.#paths
    const { socket: now } = this.#facts
    const wanted = this.#goal.socket
    const put = (content: string | undefined): readonly Effect[] =>
      content === undefined
        ? []
        : [{ kind: 'write', path, content, mode: '0644', ...(this.#real ? { owner: 'root' } : {}) }]
    const reload: readonly Effect[] = this.#real ? [service('reload-units')] : []
    return this.#step('sockets', 'Install the sockets', {
      unchanged: now === wanted,
      act: [...put(wanted), ...reload],
      undo: [...put(now), ...reload],
    })
  }

  restart(): Step {
    const ready = { unchanged: !this.#restarts(), ...this.#ready('until', this.#request.minHealthyMs) }
    if (this.#through()) {
      return this.#step('restart', 'Restart the service; who connects meanwhile waits at its sockets', {
        ...ready,
        act: [...this.#forget(), service('restart')],
        undo: [],
      })
    }
    const sockets = this.#isHeld() ? [service('stop', socketUnit)] : []
    const change = this.#isHeld() ? ': its sockets change, nobody can connect until it starts' : ''
    return this.#step('restart', `Restart the service${change}`, {
      ...ready,
      act: [...sockets, service('stop'), ...this.#forget(), service('start')],
      undo: [...sockets, service('stop')],
    })
  }

  #isHeld(): boolean {
    return this.#facts.socket !== undefined
  }

  /** Whether it restarts through sockets that stay as they are. */
  #through(): boolean {
    return this.#isHeld() && this.#goal.socket === this.#facts.socket
  }

  #forget(): readonly Effect[] {
    const forget = service('forget-failures')
    return this.#isHeld() ? [forget, service('forget-failures', socketUnit)] : [forget]
  }

  #restarts(): boolean {
    const { service: now } = this.#facts
    if (now.state !== 'running') return false
    if (this.#goal.socket !== this.#facts.socket) return true
    if (!this.#file('unitDropIn').unchanged || !this.#file('tuningEnvironment').unchanged) return true
    return staleSettings(this.#goal, this.#facts, this.#unitGoal()).length > 0
  }

  #ready(when: 'until' | 'undoUntil', holdForMs: number): Partial<Pick<Step, 'until' | 'undoUntil'>> {
    const { serves } = this.#facts
    if (serves === undefined) return {}
    const { readyUrl: url, release } = serves
    return {
      [when]: {
        probe: { kind: 'ready', url, unit: serviceName, release },
        holdForMs,
        deadlineMs: this.#request.healthyDeadlineMs,
      },
    }
  }

  /** The limits that the unit will show: those that no later drop-in sets otherwise. */
  #unitGoal(): Readonly<Record<string, string>> {
    const { unit } = this.#facts
    if (!unit.loaded) return {}
    return Object.fromEntries(
      Object.entries(this.#goal.limits).filter(
        ([name, value]) =>
          laterInUnit(limitSettings[name] ?? name, value, unit.files, this.#paths.unitDropIn).length === 0,
      ),
    )
  }

  #file(which: 'sysctlDropIn' | 'limitsDropIn' | 'unitDropIn' | 'tuningEnvironment'): FileParts {
    const path = this.#paths[which]
    const now = this.#before(path)
    const goal = this.#goal.files[path]
    const missing = this.#facts.missingFolders.filter((folder) => isBelow(path, folder))
    const emptied = this.#goal.emptied.filter((folder) => isBelow(path, folder) && !missing.includes(folder))
    const same = goal === undefined || sameFile(now, goal)
    if (same && emptied.length === 0) return { unchanged: true, act: [], undo: [] }
    const wanted = goal ?? now
    const made = wanted.kind === 'absent' ? [] : missing
    const owner = this.#real ? { owner: 'root' } : {}
    const folder = (at: string): Effect => ({ kind: 'directory', path: at, mode: '0755', ...owner })
    return {
      unchanged: false,
      act: [...made.map(folder), ...(same ? [] : put(path, wanted)), ...emptied.map(removeEmpty)],
      undo: [
        ...emptied.toReversed().map(folder),
        ...(same ? [] : put(path, now)),
        ...made.toReversed().map(removeEmpty),
      ],
    }
  }

  /** What lies at a path: where the record of this run keeps a copy of it, with that. */
  #before(path: string): FileState {
    const isKept = newlyKept(this.#facts.record, this.#goal.record).some(([from]) => from === path)
    const original = isKept ? this.#goal.record?.originals.files[path] : undefined
    return original ?? this.#facts.files[path] ?? absent
  }

  #step(id: string, title: string, parts: Parts): Step {
    const { unchanged, act, undo, ...rest } = parts
    return {
      kind: 'step',
      id,
      host: this.#request.host,
      title,
      act: unchanged ? [] : [...act],
      undo: unchanged ? [] : puttingBack(undo),
      ...(unchanged ? { unchanged } : rest),
    }
  }
}

interface FileParts {
  readonly unchanged: boolean
  readonly act: readonly Effect[]
  readonly undo: readonly Effect[]
}
type Parts = FileParts & Partial<Pick<Step, 'until' | 'undoUntil'>>

/**
 * Settings that the running process does not have yet: it gets them at its next start.
 * @param limits those that the unit gives it
 */
export function staleSettings(
  goal: Pick<Goal, 'server'>,
  facts: TuningFacts,
  limits: Readonly<Record<string, string>>,
): readonly string[] {
  const { state, limits: now, environment } = facts.service
  if (state !== 'running') return []
  const old = Object.entries(limits).filter(([name, value]) => now[name] !== granted(name, value, facts))
  const other = Object.keys(serverSettings).filter((name) => environment[name] !== goal.server[name])
  return [...old.map(([name]) => name), ...other]
}

/** Settings that a running service still has from before its tuning was taken back. */
export function stillTuned(record: TuningRecord, facts: TuningFacts): readonly string[] {
  const { service, unit } = facts
  const kept = Object.entries(record.limits).filter(([name, value]) => {
    const next = unit.limits[name]
    return next !== undefined && service.limits[name] === value && granted(name, next, facts) !== value
  })
  return [...kept.map(([name]) => name), ...staleSettings({ server: {} }, facts, {})]
}

const absent: FileState = { kind: 'absent' }

const removeEmpty = (path: string): Effect => ({ kind: 'remove-empty', path })

const bySystemd = (limits: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(limits).map(([name, value]) => [limitSettings[name] ?? name, value]))

/** Effects after which this state lies at a path; it replaces whatever was there. */
function put(path: string, state: FileState): readonly Effect[] {
  if ('kept' in state) return [{ kind: 'duplicate', from: state.kept, path }]
  switch (state.kind) {
    case 'absent':
      return [{ kind: 'remove', path }]
    case 'link':
      return [{ kind: 'link', path, target: state.target }]
    case 'file': {
      const { content, mode, owner } = state
      return [{ kind: 'write', path, content, mode, ...(owner === '' ? {} : { owner }) }]
    }
    case 'other':
      // Refused before anything was planned.
      return []
  }
}
