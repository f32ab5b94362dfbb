// What every command that runs a plan shares: run ids, journaling with progress, the dry run, and the joint result.
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { Control } from '../engine/halt.ts'
import { begin, Journal, type JournalObserver } from '../engine/journal.ts'
import { carryRun } from '../engine/lease.ts'
import { runPlan, type RunResult } from '../engine/run.ts'
import type { World } from '../engine/world.ts'
import { exitCodes, type Outcome } from '../model/errors.ts'
import { addPushed, type EndRecord, type Hooks, type JournalRecord, type Pushed } from '../model/journal.ts'
import { stepsOf, type Plan, type Step, type Wait } from '../model/plan.ts'
import { formatDuration } from '../model/units.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import { buildInfo } from '../system/build-info.ts'
import type { CommandContext } from '../cli/command.ts'
import { runProgress } from '../cli/present/progress/run-progress.ts'
import type { Member } from './probes.ts'
import { showEffect, worldOf } from './executor.ts'

/** A name that sorts by time and is unique among operators: `20261123T104501Z-deploy-3f9a`. */
export function newRunId(procedure: string, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '')
  return `${stamp}-${procedure}-${randomBytes(2).toString('hex')}`
}

/** The netops that decides, as journals name it. */
export const decidedBy = `${buildInfo.version} (${buildInfo.commit})`

/** What a run is started with. */
export interface Order {
  readonly runs: string
  readonly run: string
  readonly procedure: string
  readonly input: unknown
  readonly facts: unknown
  readonly plan: Plan
  readonly hooks: Hooks | undefined
}

/** What the operator can ask of a run that is under way. */
export const controlOf = ({ signal, undoSignal }: CommandContext): Control => ({ stop: signal, undo: undoSignal })

/** Records a plan and carries it out. */
export async function runOrder(
  order: Order,
  members: ReadonlyMap<string, Member>,
  context: CommandContext,
): Promise<Ran> {
  const { runs, run, procedure, plan, hooks } = order
  return carrying(runs, run, context, async (journal) => {
    const input = plain(order.input)
    begin(journal, { run, procedure, by: decidedBy, input, facts: plain(order.facts), plan, hooks })
    return withWorld(members, context, (world) => runPlan(journal, world, controlOf(context)))
  })
}

/**
 * Does something with a run's journal while no other process carries the run out.
 * @throws NetopsError `locked` when another process does
 */
export async function carrying(
  runs: string,
  run: string,
  context: CommandContext,
  work: (journal: Journal) => Promise<RunResult>,
): Promise<Ran> {
  context.answerInterrupts()
  await mkdir(runs, { recursive: true })
  const carrier = await carryRun(runs, run)
  try {
    const journal = await openJournal(runs, run, context)
    try {
      return { result: await work(journal), records: journal.records }
    } finally {
      journal.close()
    }
  } finally {
    await carrier.giveBack()
  }
}

/** Does something in the world of these hosts; what goes on beside it ends with it. */
export async function withWorld<T>(
  members: ReadonlyMap<string, Member>,
  context: CommandContext,
  work: (world: World) => Promise<T>,
): Promise<T> {
  const world = worldOf({ members, control: controlOf(context), env: context.env, tell: context.progress })
  try {
    return await work(world)
  } finally {
    world.close()
  }
}

export interface Ran {
  readonly result: RunResult
  readonly records: readonly JournalRecord[]
}

/** Opens a journal whose records are shown as progress, or with `--jsonl` printed, as they come. */
export async function openJournal(runs: string, run: string, context: CommandContext): Promise<Journal> {
  const progress = runProgress(context)
  const show: JournalObserver = (record, when) => {
    if (when === 'before') return
    progress.see(record)
    if (context.jsonl === true) context.write(JSON.stringify(record))
  }
  const observers = [show, faultObserver(context)]
  const journal = await Journal.open(runs, run, {
    now: () => new Date(),
    observe: (record, when) => observers.forEach((observer) => observer(record, when)),
  })
  // A run that goes on: what was done before is known, and not told again.
  for (const record of journal.records) progress.recall(record)
  return journal
}

/**
 * Dies at a chosen line of the journal, as a power cut or `kill -9` would, or stands still there until it is continued:
 * `NETOPS_FAULT=kill-before:7`, `kill-after:7`, `stop-after:7`. Rehearsals and tests use it; unset, it does nothing.
 */
function faultObserver(context: CommandContext): JournalObserver {
  const [, what, moment, line] = /^(kill|stop)-(before|after):(\d+)$/.exec(context.env.NETOPS_FAULT ?? '') ?? []
  return (record, when) => {
    if (when === moment && record.seq === Number(line))
      process.kill(process.pid, what === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  }
}

/** What JSON keeps of a value: fields that are undefined are left out. */
export const plain = (value: unknown): never => JSON.parse(JSON.stringify(value)) as never

/** A step as a dry run shows it. */
const shownStep = (step: Step, services: ServiceManager) => ({
  id: step.id,
  title: step.title,
  unchanged: step.unchanged === true,
  effects: step.act,
  undo: step.undo,
  commands: step.act.flatMap((effect) => showEffect(effect, services)),
  ...(step.until === undefined ? {} : { waits: showWait(step.until) }),
})

function showWait({ probe, holdForMs, deadlineMs }: Wait): string {
  const within = `within ${formatDuration(deadlineMs)}`
  switch (probe.kind) {
    case 'ready':
      return `until ${probe.url} is 200 from ${probe.release} ${within}, held for ${formatDuration(holdForMs)}`
    case 'stopped':
      return `until ${probe.unit} has stopped, ${within}`
    case 'sysctl':
      return `until /proc/sys reads back ${Object.keys(probe.values).join(', ')}`
    case 'unit-limits':
      return `until systemd shows ${Object.keys(probe.limits).join(', ')} of ${probe.unit}`
  }
}
export type ShownStep = ReturnType<typeof shownStep>

export const shownPlan = (plan: Plan, services: ServiceManager): readonly ShownStep[] =>
  stepsOf(plan).map((step) => shownStep(step, services))

/** A dry run for people: each step with its commands, one a line, ready to be read or copied. */
export function formatShown(steps: readonly ShownStep[], indent: string): string {
  return steps
    .flatMap((step) => [
      `${indent}${step.title}${step.unchanged ? ' (unchanged)' : ''}`,
      ...step.commands.map((command) => `${indent}    ${command}`),
      ...(step.waits === undefined ? [] : [`${indent}    (wait) ${step.waits}`]),
    ])
    .join('\n')
}

/** One host's end in a fleet run, from what its own journal said. */
export interface HostResult {
  readonly host: string
  readonly outcome: Outcome
  readonly exit: number
  readonly changed: boolean
  /** What was sent to it by pushes, of how much there was to bring. */
  readonly pushed?: Pushed
  readonly message?: string
}

/** How each host of a fleet run ended. */
export function hostResults(ran: Ran, hosts: readonly string[]): readonly HostResult[] {
  return hosts.map((host) => {
    const end = ran.records.findLast(
      (record): record is Extract<JournalRecord, { type: 'relayed' }> & { record: EndRecord } =>
        record.type === 'relayed' && record.step.startsWith(`${host}/`) && record.record.type === 'end',
    )?.record
    const pushed = ran.records
      .flatMap((record) => (record.type === 'done' && record.step.startsWith(`${host}/`) ? (record.pushed ?? []) : []))
      .reduce<Pushed | undefined>(addPushed, undefined)
    const failure = ran.result.failures.find((entry) => entry.host === host)
    const outcome = failure?.code ?? end?.outcome ?? (ran.result.outcome === 'done' ? 'done' : 'failed')
    return {
      host,
      outcome,
      exit: exitCodes[outcome].exit,
      changed: end?.changed ?? false,
      ...(pushed === undefined ? {} : { pushed }),
      ...(failure === undefined ? {} : { message: failure.message }),
    }
  })
}
