// How each setting of a host stands against what is asked: its value and where that comes from, and what is in the way. Pure.
import { parseServerConfig, readServerConfig } from '../../config/server-config.ts'
import { valueAt } from '../../config/schema-words.ts'
import { laterInUnit, limitConflicts, unitSetter } from '../../model/limits-files.ts'
import { hostPaths, serviceUser, type HostPaths } from '../../model/paths.ts'
import { locationOf, settersOf, type ConfLine } from '../../model/sysctl-files.ts'
import { sameSysctl } from '../../model/sysctl.ts'
import { lowers, type WantedSetting } from '../../model/tuning-profiles.ts'
import {
  kindOf,
  limitSettings,
  parseEnvironmentFile,
  serverSettings,
  type SettingKind,
  type TuningOptions,
} from '../../model/tuning.ts'
import { granted, type TuningFacts, type TuningPlace } from './facts.ts'
import { appliedGoal, beforeTuning, sameFile, wantedOf, whyNotSet, type Goal, type TuningTemplates } from './goal.ts'
import { staleSettings } from './plan.ts'

export interface TuningItem {
  readonly name: string
  readonly kind: SettingKind
  /** Undefined where the host has no such setting. */
  readonly now: string | undefined
  /** Where that value comes from. */
  readonly from: string
  readonly wanted: string
  /** Why that value. */
  readonly reason: string
  /** Whether the host has it, now and after its next start. */
  readonly inEffect: boolean
  /** Why it is not, or will not be after the next start. */
  readonly problems: readonly string[]
  /** What else is worth knowing. */
  readonly notes: readonly string[]
}

export interface TuningReport {
  readonly items: readonly TuningItem[]
  /** Settings that a running service gets at its next start only. */
  readonly pending: readonly string[]
}

export type TuningQuestion = TuningPlace & TuningOptions

/** Answers for every setting that is asked for, in the profile's order. */
export function reportTuning(question: TuningQuestion, facts: TuningFacts, templates: TuningTemplates): TuningReport {
  const goal = appliedGoal(question, facts, templates)
  const context: ReportContext = {
    question,
    facts,
    goal,
    paths: hostPaths(question.root),
    real: question.manager === 'systemd',
  }
  const given = context.real ? Object.entries(facts.unit.limits) : []
  const limits = Object.fromEntries(given.filter(([name]) => name in goal.limits))
  return {
    items: wantedOf(question, facts).map((setting) => describers[kindOf(setting.name) ?? 'kernel'](setting, context)),
    pending: staleSettings(goal, facts, limits),
  }
}

interface ReportContext {
  readonly question: TuningQuestion
  readonly facts: TuningFacts
  readonly goal: Omit<Goal, 'socket'>
  readonly paths: HostPaths
  /** A host of its own, not a relocated root. */
  readonly real: boolean
}

const describers: Readonly<Record<SettingKind, (setting: WantedSetting, context: ReportContext) => TuningItem>> = {
  kernel: describeKernel,
  limit: describeLimit,
  server: describeServer,
}

/** Whether a file that tuning writes lies there as it is wanted. */
const written = ({ facts, goal }: ReportContext, path: string): boolean => {
  const wanted = goal.files[path]
  return wanted !== undefined && sameFile(facts.files[path], wanted)
}

const says = (line: ConfLine): string => `${locationOf(line)} says ${line.value}`

function describeKernel(setting: WantedSetting, context: ReportContext): TuningItem {
  const { facts, paths, real } = context
  const { name, value } = setting
  const now = facts.kernel[name]?.value
  const cannot = real ? whyNotSet(name, facts) : undefined
  const { winner, others } = settersOf(name, besideOurs(context, name, value))
  const overruled = winner !== undefined && winner.path !== paths.sysctlDropIn && !sameSysctl(winner.value, value)
  const losing = others.filter((line) => line.path !== paths.sysctlDropIn && !sameSysctl(line.value, value))
  const before = beforeTuning(facts, name)
  return {
    ...setting,
    kind: 'kernel',
    now,
    from: kernelSource(name, context),
    wanted: value,
    inEffect:
      cannot === undefined &&
      !overruled &&
      written(context, paths.sysctlDropIn) &&
      (!real || (now !== undefined && sameSysctl(now, value))),
    problems: [
      ...(cannot === undefined ? [] : [cannot]),
      ...(overruled ? [`${says(winner)} and wins at the next start of the host`] : []),
    ],
    notes: [
      ...(real && lowers(setting, before) ? [`LOWERS what the kernel had: ${before ?? ''}`] : []),
      ...losing.map((line) => `${says(line)} and loses`),
    ],
  }
}

/** The files with ours as it will be: an earlier one of the same name in another folder does not count any more. */
function besideOurs({ facts, paths }: ReportContext, name: string, value: string): TuningFacts['sysctlFiles'] {
  const ours = paths.sysctlDropIn
  const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  return [
    ...facts.sysctlFiles.filter(({ path }) => baseOf(path) !== baseOf(ours)),
    { path: ours, text: `${name} = ${value}` },
  ].sort((a, b) => (baseOf(a.path) < baseOf(b.path) ? -1 : 1))
}

function kernelSource(name: string, { facts, paths }: ReportContext): string {
  const { winner } = settersOf(name, facts.sysctlFiles)
  const now = facts.kernel[name]?.value
  if (now === undefined) return 'the kernel lacks it'
  if (winner === undefined) return "the kernel's default, or set by hand"
  if (!sameSysctl(winner.value, now)) return `set since the start of the host, or not settable; ${says(winner)}`
  return winner.path === paths.sysctlDropIn ? `netops tune, ${locationOf(winner)}` : locationOf(winner)
}

function describeLimit(setting: WantedSetting, context: ReportContext): TuningItem {
  const { facts, paths, real } = context
  const { name, value } = setting
  const systemd = limitSettings[name] ?? name
  const account = { name: serviceUser, uid: facts.uid }
  const pam = limitConflicts({ account, item: name, value }, facts.limitsFiles, paths.limitsDropIn)
  const later = laterInUnit(systemd, value, facts.unit.files, paths.unitDropIn)
  const tooMuch = real && name === 'nofile' ? aboveNrOpen(value, context) : undefined
  const most = granted(name, value, facts)
  const now = facts.unit.limits[name]
  const files = written(context, paths.limitsDropIn) && written(context, paths.unitDropIn)
  const problems = [
    ...later.map((line) => `${says(line)} and wins for the service`),
    ...pam.winning.map((line) => `${says(line)} and wins for sessions of ${serviceUser}`),
    ...(tooMuch === undefined ? [] : [tooMuch]),
    ...(real && most !== value
      ? [`process 1 of this host can give no more than ${most}: its own hard limit, without CAP_SYS_RESOURCE`]
      : []),
  ]
  const running = facts.service.limits[name]
  return {
    ...setting,
    kind: 'limit',
    now: now ?? running,
    from: limitSource(systemd, context),
    wanted: value,
    inEffect: files && problems.length === 0 && (!facts.unit.loaded || now === value),
    problems,
    notes: [
      ...(running === undefined || running === now ? [] : [`the running service has ${running}`]),
      ...pam.losing.map((line) => `${says(line)} and loses`),
    ],
  }
}

function limitSource(systemd: string, { facts, real, paths }: ReportContext): string {
  if (!real) return 'whoever starts the service: below a root no systemd sets limits'
  if (!facts.unit.loaded) return 'the service is not installed yet'
  const line = unitSetter(systemd, facts.unit.files)
  if (line === undefined) return "systemd's default"
  return line.path === paths.unitDropIn ? `netops tune, ${locationOf(line)}` : locationOf(line)
}

function aboveNrOpen(value: string, { facts, goal }: ReportContext): string | undefined {
  const most = goal.kernel['fs.nr_open'] ?? facts.kernel['fs.nr_open']?.value
  if (most === undefined || !/^\d+$/.test(value) || !/^\d+$/.test(most) || BigInt(value) <= BigInt(most))
    return undefined
  return `fs.nr_open is ${most}: the kernel lets no process have more`
}

const defaultOf = (name: string): string | undefined => {
  const value = valueAt(parseServerConfig('', 'config.yaml'), name.split('.'))
  return typeof value === 'number' ? String(value) : undefined
}

function describeServer(setting: WantedSetting, context: ReportContext): TuningItem {
  const { facts, paths } = context
  const { name, value } = setting
  const variable = serverSettings[name] ?? name
  const file = facts.files[paths.tuningEnvironment]
  const tuned = file?.kind === 'file' ? parseEnvironmentFile(file.content)[variable] : undefined
  const configured = facts.config[name]
  const [later] = laterInUnit('EnvironmentFile', '', facts.unit.files, paths.unitDropIn)
  return {
    ...setting,
    kind: 'server',
    now: tuned ?? configured ?? defaultOf(name),
    from:
      tuned !== undefined
        ? `netops tune, ${paths.tuningEnvironment}`
        : configured !== undefined
          ? paths.config
          : "the server's default",
    wanted: value,
    inEffect: written(context, paths.tuningEnvironment) && written(context, paths.unitDropIn),
    problems: [],
    notes: [
      ...readServerConfig('', 'config.yaml', { env: { [variable]: value }, check: 'keys' }).notes,
      ...(tuned === undefined && configured !== undefined && configured !== value
        ? [`wins over ${paths.config}, which says ${configured}`]
        : []),
      ...(later === undefined
        ? []
        : [`${locationOf(later)} names another environment file, ${later.value}, that may win`]),
    ],
  }
}
