// What a procedure is: one record. The list of them (list.ts) is all that the rest of netops knows of any.
import type * as z from 'zod'
import type { HostReader } from '../drivers/hosts/port.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import type { Json } from '../model/json.ts'
import type { LeaseName } from '../model/leases.ts'
import { stepsOf, type Plan, type Step } from '../model/plan.ts'
import type { FileSource } from '../model/file-source.ts'
import type { LocalFile } from '../system/local-file.ts'
import { demandsOf, type Demand } from './demands.ts'
import type { HostPlace, HostRequest } from './host-request.ts'

/** What facts are read through. */
export interface FactSources {
  readonly reader: HostReader
  readonly services: ServiceManager
}

/** How a host run that is done is described, for people and for scripts. */
export interface ResultSummary {
  readonly text: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What a host can be asked to do. */
export interface HostProcedure<Request extends HostRequest = HostRequest, Facts = unknown> {
  /** The request's `procedure`, and the last word of the step's id in a fleet run: `web1/activate`. */
  readonly name: string
  /** Its step in a fleet run, for people. */
  readonly title: string
  readonly request: z.ZodType<Request>
  /** What a host is taken for meanwhile: two runs that share a name exclude each other. */
  readonly leases: readonly LeaseName[]
  /** Reads what the plan hangs on. A reader has no call that writes. */
  readonly facts: (request: Request, sources: FactSources) => Promise<Facts>
  /**
   * Pure: what is to be done.
   * @throws NetopsError `refused` where the facts show that it cannot be done
   */
  readonly plan: (request: Request, facts: Facts) => Plan
  /** What it asks of the host's places beside what its steps write. */
  readonly demands?: (request: Request) => readonly Demand[]
  /** Why the host is taken, for whoever finds it so. */
  readonly reason: (request: Request) => string
  /** What is so on the host once its run is over, whatever was asked for. */
  readonly standing?: (request: Request, sources: FactSources) => Promise<Standing>
  readonly result: (request: Request, changed: boolean, end: HostEnd) => ResultSummary
}

/** What is so on a host, for people and scripts: `release`, what is in service there. */
export type Standing = Readonly<Record<string, string | null>>

/** How a host's part of a run ended. */
export interface HostEnd {
  /** The run was taken back. */
  readonly undone: boolean
  /** What is so there; undefined where the host was not asked, or did not answer. */
  readonly standing: Standing | undefined
  /** What the work of its steps came to, by step. */
  readonly results: Readonly<Record<string, Json>>
}

/** What was decided for one host, from its facts. */
export interface Decision {
  readonly facts: unknown
  readonly plan: Plan
  /** What the host's places must be fit for, also for steps that bring something there first. */
  readonly demands: (before?: readonly Step[]) => readonly Demand[]
}

/** A procedure that takes any request: it is parsed first. */
export interface AnyHostProcedure {
  readonly name: string
  readonly title: string
  readonly leases: readonly LeaseName[]
  /** @throws ZodError for a request that is not this procedure's */
  parse(request: unknown): HostRequest
  decide(request: unknown, sources: FactSources): Promise<Decision>
  reason(request: unknown): string
  standing(request: unknown, sources: FactSources): Promise<Standing | undefined>
  result(request: unknown, changed: boolean, end: HostEnd): ResultSummary
}

/** Puts a procedure's record behind requests of any kind, so that all of them fit into one list. */
export function defineHostProcedure<Request extends HostRequest, Facts>(
  procedure: HostProcedure<Request, Facts>,
): AnyHostProcedure {
  const { name, title, leases, request: schema } = procedure
  return {
    name,
    title,
    leases,
    parse: (request) => schema.parse(request),
    async decide(request, sources) {
      const parsed = schema.parse(request)
      const facts = await procedure.facts(parsed, sources)
      const plan = procedure.plan(parsed, facts)
      return {
        facts,
        plan,
        demands: (before = []) => [
          ...demandsOf([...before, ...stepsOf(plan)]),
          ...(isIdle(plan) ? [] : (procedure.demands?.(parsed) ?? [])),
        ],
      }
    },
    reason: (request) => procedure.reason(schema.parse(request)),
    standing: async (request, sources) => procedure.standing?.(schema.parse(request), sources),
    result: (request, changed, end) => procedure.result(schema.parse(request), changed, end),
  }
}

/** Whether nothing of a plan would touch the host. */
const isIdle = (plan: Plan): boolean => stepsOf(plan).every(({ act }) => act.length === 0)

/** A file that a host run needs beside its request. */
export interface Push {
  /** Within the host's steps: `release`. */
  readonly id: string
  readonly title: string
  /** Undefined when the host has it already, or its content is read late. */
  readonly file: LocalFile | undefined
  /** Where the content is read when it is brought, and the folder that this begins at. */
  readonly source?: { readonly from: FileSource; readonly cwd: string }
  /** Its name in the run's folder of incoming files. */
  readonly name: string
  readonly mode: string
}

/** What one host is asked for in a fleet run, and what must be brought for it. */
export interface Assignment {
  readonly request: HostRequest
  readonly pushes: readonly Push[]
  /** What is written down on this machine before the run begins, readable by nobody else. */
  readonly writes?: readonly { readonly path: string; readonly text: string }[]
}

/** A place in a fleet run. */
export interface AssignedPlace extends HostPlace {
  readonly fleet: string
  /** A folder of this machine that belongs to the fleet run. */
  readonly scratch: string
}

/** What an operator can have a fleet do: plain data and what each host looks like in, each host's request out. */
export interface FleetProcedure<Input, Found> {
  /** What it is called, also by hooks: `tune-revert` runs `pre_tune_revert`. */
  readonly name: string
  /** Looks at one host. */
  readonly look: (input: Input, place: AssignedPlace, reader: HostReader) => Promise<Found>
  /**
   * Pure: what the host is asked for.
   * @param found undefined for a host that could not be reached: it is brought all that it might lack
   * @throws NetopsError where that cannot be told
   */
  readonly assign: (input: Input, place: AssignedPlace, found: Found | undefined) => Assignment
}

/** The fields of a place that a request carries. */
export const fieldsOf = ({ run, host, root, manager, netops, fleet }: AssignedPlace): HostPlace => ({
  run,
  host,
  root,
  manager,
  netops,
  fleet,
})
