// Compares a host with what was applied to it, and after a revert with what was there before. Pure.
import { laterInUnit, limitConflicts } from '../../model/limits-files.ts'
import { hostPaths, serviceUser } from '../../model/paths.ts'
import { locationOf, settersOf } from '../../model/sysctl-files.ts'
import { sameSysctl } from '../../model/sysctl.ts'
import { limitSettings, serverSettings, type FileState, type TuningRecord } from '../../model/tuning.ts'
import { granted, type TuningFacts, type TuningPlace } from './facts.ts'
import { sameFile } from './goal.ts'

/** Something that is not as it was set. */
export interface Drift {
  /** A setting, or a file. */
  readonly what: string
  readonly expected: string
  readonly found: string
}

/** Everything that differs from what was applied; below a relocated root only files count. */
export function findDrift(place: TuningPlace, record: TuningRecord, facts: TuningFacts): readonly Drift[] {
  const real = place.manager === 'systemd'
  return [
    ...filesDrift(record, facts, real ? '0:0' : ''),
    ...(real ? [...kernelDrift(record, facts, place), ...limitsDrift(record, facts, place)] : []),
    ...processDrift(record, facts),
  ]
}

function filesDrift(record: TuningRecord, facts: TuningFacts, owner: string): readonly Drift[] {
  return Object.entries(record.files).flatMap(([path, { content, mode }]) => {
    const now = facts.files[path]
    if (sameFile(now, { kind: 'file', content, mode, owner })) return []
    return [{ what: path, expected: `as netops wrote it, mode ${mode}`, found: describeFile(now, content) }]
  })
}

function describeFile(now: FileState | undefined, content?: string): string {
  switch (now?.kind) {
    case undefined:
    case 'absent':
      return 'nothing'
    case 'link':
      return `a link to ${now.target}`
    case 'other':
      return now.what
    case 'file': {
      const text = content === undefined || now.content === content ? '' : 'other content, '
      return `${text}mode ${now.mode}, owner ${now.owner}`
    }
  }
}

function kernelDrift(record: TuningRecord, facts: TuningFacts, { root }: TuningPlace): readonly Drift[] {
  const ours = hostPaths(root).sysctlDropIn
  return Object.entries(record.kernel).flatMap(([name, value]) => {
    const now = facts.kernel[name]?.value
    const { winner } = settersOf(name, facts.sysctlFiles)
    const overruled = winner !== undefined && winner.path !== ours && !sameSysctl(winner.value, value)
    return [
      ...(now !== undefined && sameSysctl(now, value)
        ? []
        : [{ what: name, expected: value, found: now ?? 'nothing' }]),
      ...(overruled
        ? [
            {
              what: name,
              expected: `${value} at the next start`,
              found: `${locationOf(winner)} says ${winner.value} and wins`,
            },
          ]
        : []),
    ]
  })
}

function limitsDrift(record: TuningRecord, facts: TuningFacts, { root }: TuningPlace): readonly Drift[] {
  const paths = hostPaths(root)
  const account = { name: serviceUser, uid: facts.uid }
  return Object.entries(record.limits).flatMap(([name, value]) => {
    const systemd = limitSettings[name] ?? name
    const now = facts.unit.limits[name]
    const { winning } = limitConflicts({ account, item: name, value }, facts.limitsFiles, paths.limitsDropIn)
    const [later] = laterInUnit(systemd, value, facts.unit.files, paths.unitDropIn)
    const why = later === undefined ? '' : `, from ${locationOf(later)}`
    return [
      ...(!facts.unit.loaded || now === value
        ? []
        : [{ what: `${systemd} of the unit`, expected: value, found: `${now ?? 'nothing'}${why}` }]),
      ...winning.map((line) => ({
        what: `${name} of sessions`,
        expected: value,
        found: `${locationOf(line)} says ${line.value} and wins`,
      })),
    ]
  })
}

function processDrift(record: TuningRecord, facts: TuningFacts): readonly Drift[] {
  const { service, unit } = facts
  if (service.state !== 'running') return []
  const limits = unit.loaded ? Object.entries(record.limits) : []
  const server = Object.entries(record.server)
  return [
    ...limits.map(([name, value]) => ({
      what: `${name} of the running service`,
      expected: granted(name, value, facts),
      found: service.limits[name],
    })),
    ...server.map(([name, value]) => ({
      what: `${serverSettings[name] ?? name} of the running service`,
      expected: value,
      found: service.environment[name],
    })),
  ].flatMap(({ found, ...drift }) => (found === drift.expected ? [] : [{ ...drift, found: found ?? 'nothing' }]))
}

/** What is not as it was before the first run that tuned; empty after a revert that put everything back. */
export function findRemains(place: TuningPlace, { originals }: TuningRecord, facts: TuningFacts): readonly Drift[] {
  const real = place.manager === 'systemd'
  const kernel = real ? Object.entries(originals.kernel) : []
  return [
    ...kernel.flatMap(([name, value]) => {
      const now = facts.kernel[name]?.value
      return now !== undefined && sameSysctl(now, value)
        ? []
        : [{ what: name, expected: value, found: now ?? 'nothing' }]
    }),
    ...Object.entries(originals.files).flatMap(([path, before]) =>
      sameFile(facts.files[path], before)
        ? []
        : [{ what: path, expected: describeFile(before), found: describeFile(facts.files[path]) }],
    ),
  ]
}
