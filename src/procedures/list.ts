// All procedures of a host: adding one touches its folder and this list.
import { NetopsError } from '../model/errors.ts'
import { activate } from './deploy/host-procedure.ts'
import { gc } from './gc/host-procedure.ts'
import type { HostRequest } from './host-request.ts'
import type { AnyHostProcedure, Decision, FactSources } from './procedure.ts'
import { tune } from './tune/host-procedure.ts'

const procedures: readonly AnyHostProcedure[] = [activate, tune, gc]

/** @throws NetopsError `refused` for a name that this netops does not know */
export function procedureNamed(name: string): AnyHostProcedure {
  const found = procedures.find((procedure) => procedure.name === name)
  if (found !== undefined) return found
  throw new NetopsError('refused', {
    message: `there is no procedure ${name} in this netops`,
    hint: `use the netops that asked for it; this one has ${procedures.map((one) => one.name).join(', ')}`,
  })
}

/**
 * A request from outside.
 * @throws NetopsError `refused` for a procedure that this netops does not know; ZodError where a field does not fit
 */
export function parseRequest(value: unknown): HostRequest {
  const named = typeof value === 'object' && value !== null && 'procedure' in value ? String(value.procedure) : ''
  return procedureNamed(named).parse(value)
}

/**
 * Reads a host's facts and decides what its run consists of; the same over SSH for a dry run and on the host itself.
 * @throws NetopsError `refused` when the facts show that it cannot work; nothing was touched then
 */
export const decide = (request: HostRequest, sources: FactSources): Promise<Decision> =>
  procedureNamed(request.procedure).decide(request, sources)
