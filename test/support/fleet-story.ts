// What an operator's journal gets to hold in a deployment to several hosts, from the real plans, up to any point of it.
import type { JournalEntry, JournalRecord, OwnRecord } from '../../src/model/journal.ts'
import { stepsOf, type Step } from '../../src/model/plan.ts'
import { planActivation } from '../../src/procedures/deploy/plan.ts'
import { planHash } from '../../src/engine/journal.ts'
import { planFleet } from '../../src/procedures/fleet-plan.ts'
import { readTemplate } from '../../src/system/assets.ts'
import { hashOf, input, releaseOf, runningHost } from './activation.ts'

/** Numbers and stamps an entry the way a journal does. */
export type Stamp = (entry: JournalEntry, seq: number) => JournalRecord

/** Records that come one a second, from 10:00:00 on. */
const oneASecond: Stamp = (entry, seq) => ({
  netops: 1,
  seq,
  at: new Date(beganMs + (seq - 1) * 1000).toISOString(),
  ...entry,
})
const beganMs = Date.parse('2026-11-23T10:00:00Z')

export const recordsOf = (entries: readonly JournalEntry[]): readonly JournalRecord[] =>
  entries.map((entry, index) => oneASecond(entry, index + 1))

export interface Story {
  readonly start: JournalEntry
  /** A host from the place where its last call left it until a step begins; to its end where no step is named. */
  readonly to: (host: string, step?: string) => readonly JournalEntry[]
  /** A host whose new release does not become healthy: it begins to undo, and has put everything back. */
  readonly undoing: (host: string) => readonly JournalEntry[]
  readonly rolledBack: (host: string) => readonly JournalEntry[]
  readonly end: (outcome: 'done' | 'rolled-back') => JournalEntry
}

/** Tells the deployment of 2.0.0 to hosts that 1.0.0 runs on. */
export function deploymentOf(hosts: readonly string[], stamp: Stamp = oneASecond): Story {
  const release = { path: '/build/network_server', sha256: hashOf('b'), size: 1000 }
  const config = { path: '/etc/config.yaml', sha256: hashOf('d'), size: 100 }
  const part = (host: string) => input({ host, run: `r1.${host}` })
  const plan = planFleet(
    { run: 'r1', procedure: 'deploy', by: 'alice@ops1' },
    {
      shares: hosts.map((host) => ({
        request: part(host),
        netops: undefined,
        shown: undefined,
        pushes: [
          {
            id: 'release',
            title: `Push the release (${part(host).release.id})`,
            file: release,
            name: 'network_server',
            mode: '0755',
          },
          { id: 'config', title: 'Push the configuration', file: config, name: 'config.yaml', mode: '0600' },
        ],
      })),
    },
  )
  const templates = {
    unit: readTemplate('network_service.service'),
    tmpfiles: readTemplate('network_service.tmpfiles'),
    socket: readTemplate('network_service.socket'),
  }
  const jobPlan = (host: string) => planActivation(part(host), runningHost(), templates)
  const run = { type: 'run', run: 'r1', by: 'test', input: null, facts: null } as const
  const relayed = (host: string, entry: JournalEntry, index: number): JournalEntry => ({
    type: 'relayed',
    step: `${host}/activate`,
    record: stamp(entry, index + 1) as OwnRecord,
  })
  const jobSteps = (host: string): readonly Step[] => stepsOf(jobPlan(host))
  const whole = (host: string): readonly JournalEntry[] =>
    stepsOf(plan)
      .filter((step) => step.host === host)
      .flatMap((step) => {
        if (!step.id.endsWith('/activate')) return success(step)
        const job: JournalEntry[] = [
          { ...run, procedure: 'activate', plan: jobPlan(host), planSha256: planHash(jobPlan(host)) },
          ...jobSteps(host).flatMap(success),
          { type: 'end', outcome: 'done', changed: true },
        ]
        const [begin, done] = success(step)
        return [begin, ...job.map((entry, index) => relayed(host, entry, index)), done].filter(isThere)
      })
  const told = new Map<string, number>()
  const isBegin = (entry: JournalEntry, id: string): boolean =>
    entry.type === 'relayed' ? isBegin(entry.record, id) : entry.type === 'begin' && entry.step === id
  const broken = { code: 'unhealthy', message: unhealthy } as const
  const to = (host: string, step?: string): readonly JournalEntry[] => {
    const entries = whole(host)
    const from = told.get(host) ?? 0
    const until = step === undefined ? entries.length : entries.findIndex((entry) => isBegin(entry, step)) + 1
    told.set(host, until)
    return entries.slice(from, until)
  }
  return {
    start: { ...run, procedure: 'deploy', plan, planSha256: planHash(plan) },
    to,
    undoing(host) {
      const back: JournalEntry[] = [
        { type: 'failed', step: 'health', error: broken },
        { type: 'undoing', step: 'start' },
      ]
      return [...to(host, 'health'), ...back.map((entry, index) => relayed(host, entry, 100 + index))]
    },
    rolledBack(host) {
      const ran = jobSteps(host).filter(({ undo, id }) => undo.length > 0 && id !== 'record')
      const back: JournalEntry[] = [
        ...ran.toReversed().flatMap(({ id }): JournalEntry[] => [
          { type: 'undoing', step: id },
          { type: 'undone', step: id },
        ]),
        { type: 'end', outcome: 'rolled-back', changed: false, error: broken },
      ]
      return [
        ...back.slice(1).map((entry, index) => relayed(host, entry, 200 + index)),
        { type: 'failed', step: `${host}/activate`, error: { code: 'rolled-back', message: unhealthy } },
      ]
    },
    end: (outcome) => ({ type: 'end', outcome, changed: outcome === 'done' }),
  }
}

const unhealthy = `not healthy on ${releaseOf('2.0.0', 'b').id} within 120 s: http://127.0.0.1:8080/health/ready answers 503`

const success = (step: Step): readonly JournalEntry[] =>
  step.unchanged === true
    ? [{ type: 'unchanged', step: step.id }]
    : [
        { type: 'begin', step: step.id },
        { type: 'done', step: step.id, changed: step.act.some(({ kind }) => kind !== 'push' && kind !== 'directory') },
      ]

const isThere = (entry: JournalEntry | undefined): entry is JournalEntry => entry !== undefined
