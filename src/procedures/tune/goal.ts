// What a tuned host is to be like: values, files and the record, from what is asked and what the host is like. Pure.
import { dirname } from 'node:path'
import { hostPaths, serviceUser, type HostPaths } from '../../model/paths.ts'
import { wantedSettings, type WantedSetting } from '../../model/tuning-profiles.ts'
import {
  kindOf,
  limitSettings,
  serverSettings,
  type FileState,
  type SettingKind,
  type TuningRecord,
  type TuningOptions,
} from '../../model/tuning.ts'
import { type TuningRequest } from './request.ts'
import { render } from '../../system/template.ts'
import { renderSockets } from '../sockets.ts'
import { originalOf } from './originals.ts'
import { tunedFiles, type TuningFacts, type TuningPlace } from './facts.ts'

/** Texts of the templates that tuning renders. */
export interface TuningTemplates {
  readonly sysctl: string
  readonly limits: string
  readonly unit: string
  readonly environment: string
  readonly socket: string
}

type Values = Readonly<Record<string, string>>

export interface Goal {
  /** Values that the running kernel is to have; those that it lacks or refuses are not among them. */
  readonly kernel: Values
  readonly limits: Values
  readonly server: Values
  /** What is to lie at each path; a path that is left alone is missing. */
  readonly files: Readonly<Record<string, FileState>>
  /** The socket unit for as many threads as there are to be; undefined where none is held for the service. */
  readonly socket: string | undefined
  /** Folders that are to go if nothing else lies in them. */
  readonly emptied: readonly string[]
  /** Undefined where nothing is tuned any more. */
  readonly record: TuningRecord | undefined
}

/** Where netops writes below a relocated root, files belong to whoever runs it. */
const anyOwner = ''

/** Whether what lies at a path is what is wanted there. */
export function sameFile(now: FileState | undefined, wanted: FileState): boolean {
  if (now?.kind === 'file' && wanted.kind === 'file') {
    const owner = wanted.owner === anyOwner || now.owner === wanted.owner
    return owner && now.content === wanted.content && now.mode === wanted.mode
  }
  if (now?.kind === 'link' && wanted.kind === 'link') return now.target === wanted.target
  return now?.kind === wanted.kind
}

/** The value of a parameter before netops first set it. */
export const beforeTuning = (facts: TuningFacts, key: string): string | undefined =>
  facts.record?.originals.kernel[key] ?? facts.kernel[key]?.value

/** What is asked of a host, the settings that cannot be set there included. */
export const wantedOf = (request: TuningOptions, facts: TuningFacts): readonly WantedSetting[] =>
  wantedSettings(request, facts, (key) => beforeTuning(facts, key))

/** Why a kernel parameter cannot be set on a host; undefined where it can. Below a relocated root none is. */
export function whyNotSet(name: string, facts: TuningFacts): string | undefined {
  const known = facts.kernel[name]
  if (known === undefined) return 'this kernel has no such parameter, or does not show it here'
  if (!known.writable) return 'it is read-only here, as in a container'
  return known.value === '' ? 'its value cannot be read, so nobody could put it back' : undefined
}

export function goalOf(request: TuningRequest, facts: TuningFacts, templates: TuningTemplates): Goal {
  const goal = request.action === 'revert' ? revertedGoal(request, facts) : appliedGoal(request, facts, templates)
  const socket = socketFor(request, facts, { goal, template: templates.socket })
  return { ...goal, socket, record: goal.record && { ...goal.record, run: request.run } }
}

function revertedGoal({ manager }: TuningRequest, { record, kernel }: TuningFacts): Omit<Goal, 'socket'> {
  const originals = record?.originals ?? { kernel: {}, files: {}, folders: [] }
  return {
    kernel: manager === 'process' ? {} : settable(originals.kernel, kernel),
    limits: {},
    server: {},
    files: originals.files,
    emptied: originals.folders.toReversed(),
    record: undefined,
  }
}

interface Socketed {
  readonly goal: Pick<Goal, 'files'>
  readonly template: string
}

function socketFor({ root }: TuningPlace, facts: TuningFacts, { goal, template }: Socketed): string | undefined {
  const { serves, socket, cores } = facts
  // A deployment puts one there, or leaves the service without.
  if (socket === undefined) return undefined
  const path = hostPaths(root).tuningEnvironment
  const state = goal.files[path] ?? facts.files[path]
  const tuned = state?.kind === 'file' ? state.content : ''
  return renderSockets(template, serves?.listen, { cores, tuned }) ?? socket
}

const settable = (values: Values, kernel: TuningFacts['kernel']): Values =>
  Object.fromEntries(Object.entries(values).filter(([key]) => kernel[key]?.writable === true))

type PlacedOptions = TuningPlace & TuningOptions

/** What a host is to be like once it is tuned; the record does not name its run yet. */
export function appliedGoal(
  request: PlacedOptions,
  facts: TuningFacts,
  templates: TuningTemplates,
): Omit<Goal, 'socket'> & { readonly record: TuningRecord } {
  const paths = hostPaths(request.root)
  const real = request.manager === 'systemd'
  const wanted = wantedOf(request, facts)
  const before = facts.record?.originals
  const notSet = Object.fromEntries(
    ofKind(wanted, 'kernel').flatMap(({ name }) => {
      const reason = real ? whyNotSet(name, facts) : undefined
      return reason === undefined ? [] : [[name, reason]]
    }),
  )
  const kernel = valuesOf(ofKind(wanted, 'kernel').filter(({ name }) => notSet[name] === undefined))
  const texts = renderFiles({ request, wanted, notSet, paths }, templates)
  const touched = tunedFiles(paths).filter((path) => texts[path] !== undefined)
  const isNeeded = (folder: string): boolean => touched.some((path) => isBelow(path, folder))
  const made = before?.folders ?? []
  const originals: TuningRecord['originals'] = {
    // What an earlier run set and this one does not want gets its value back, and is then no longer ours.
    kernel: real
      ? Object.fromEntries(
          ofKind(wanted, 'kernel').flatMap(({ name }) => {
            const value = before?.kernel[name] ?? (name in kernel ? facts.kernel[name]?.value : undefined)
            return value === undefined ? [] : [[name, value]]
          }),
        )
      : {},
    files: Object.fromEntries(
      touched.map((path) => [
        path,
        before?.files[path] ?? originalOf(paths, path, facts.files[path] ?? { kind: 'absent' }),
      ]),
    ),
    folders: [...new Set([...made, ...facts.missingFolders])].filter(isNeeded),
  }
  const left = Object.fromEntries(Object.entries(before?.kernel ?? {}).filter(([key]) => !(key in originals.kernel)))
  const limits = valuesOf(ofKind(wanted, 'limit'))
  const server = valuesOf(ofKind(wanted, 'server'))
  return {
    kernel: real ? { ...settable(left, facts.kernel), ...kernel } : {},
    limits,
    server,
    files: Object.fromEntries(
      tunedFiles(paths).flatMap((path): [string, FileState][] => {
        const content = texts[path]
        const original = before?.files[path]
        if (content !== undefined) return [[path, { kind: 'file', content, mode: ownMode, owner: ownOwner(real) }]]
        return original === undefined ? [] : [[path, original]]
      }),
    ),
    emptied: made.filter((folder) => !isNeeded(folder)).toReversed(),
    record: {
      schema: 'netops/tuning/v1',
      run: '',
      profile: request.profile,
      kernel,
      limits,
      server,
      notSet,
      files: Object.fromEntries(touched.map((path) => [path, { content: texts[path] ?? '', mode: ownMode }])),
      originals,
    },
  }
}

const ownMode = '0644'
const ownOwner = (real: boolean): string => (real ? '0:0' : anyOwner)

export const isBelow = (path: string, folder: string): boolean => dirname(path).concat('/').startsWith(`${folder}/`)

const ofKind = (settings: readonly WantedSetting[], kind: SettingKind): readonly WantedSetting[] =>
  settings.filter(({ name }) => kindOf(name) === kind)

const valuesOf = (settings: readonly WantedSetting[]): Values =>
  Object.fromEntries(settings.map(({ name, value }) => [name, value]))

interface Rendering {
  readonly request: PlacedOptions
  readonly wanted: readonly WantedSetting[]
  readonly notSet: Values
  readonly paths: HostPaths
}

/** The text of each file; one without a setting is not written. */
function renderFiles({ request, wanted, notSet, paths }: Rendering, templates: TuningTemplates): Partial<Values> {
  const { profile } = request
  const [kernel, limits, server] = (['kernel', 'limit', 'server'] as const).map((kind) => ofKind(wanted, kind))
  const lines = (settings: readonly WantedSetting[] | undefined, line: (setting: WantedSetting) => string[]): string =>
    (settings ?? []).flatMap((setting) => [`# ${setting.reason}`, ...line(setting)]).join('\n')
  const files: Record<string, string> = {}
  if (kernel !== undefined && kernel.length > 0) {
    const settings = lines(kernel, ({ name, value }) =>
      notSet[name] === undefined ? [`${name} = ${value}`] : [`# not set, ${notSet[name]}: ${name} = ${value}`],
    )
    files[paths.sysctlDropIn] = render(templates.sysctl, { profile, settings })
  }
  if (limits !== undefined && limits.length > 0) {
    const settings = lines(limits, ({ name, value }) =>
      ['soft', 'hard'].map((type) => `${serviceUser} ${type} ${name} ${value}`),
    )
    files[paths.limitsDropIn] = render(templates.limits, { profile, settings })
  }
  if ((limits?.length ?? 0) + (server?.length ?? 0) > 0) {
    files[paths.unitDropIn] = render(templates.unit, {
      profile,
      limits: lines(limits, ({ name, value }) => [`${limitSettings[name] ?? name}=${value}`]),
      environment: paths.tuningEnvironment,
    })
  }
  if (server !== undefined && server.length > 0) {
    const settings = lines(server, ({ name, value }) => [`${serverSettings[name] ?? name}=${value}`])
    files[paths.tuningEnvironment] = render(templates.environment, { profile, settings })
  }
  return files
}
