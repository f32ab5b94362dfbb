// Who a process is: a number is reused, a number with its start time in one boot is not.
import { promises as fs } from 'node:fs'
import * as z from 'zod'
import { systemCode } from '../model/errors.ts'
import { readTextIfAny } from './files.ts'

export const processIdentity = z.strictObject({ pid: z.number(), startTime: z.string(), bootId: z.string() })
export type ProcessIdentity = z.infer<typeof processIdentity>

/** Of a `/proc/PID/stat` text; undefined for a process that has ended (a zombie) or a text that is none. */
export function statFields(
  stat: string,
): { readonly parent: number; readonly session: number; readonly startTime: string } | undefined {
  // proc(5): the name in brackets may hold spaces; field 3 is the state, 4 the parent, 6 the session, 22 the start time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = fields[19]
  if (fields[0] === 'Z' || fields[0] === 'X' || startTime === undefined) return undefined
  return { parent: Number(fields[1]), session: Number(fields[3]), startTime }
}

/** The start time in a `/proc/PID/stat` text; undefined for a process that has ended. */
export const startTimeIn = (stat: string): string | undefined => statFields(stat)?.startTime

/** The running process with this number, or undefined when there is none (a zombie counts as none). */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const startTime = startTimeIn((await readProcess(`/proc/${pid}/stat`)) ?? '')
  if (startTime === undefined) return undefined
  return { pid, startTime, bootId: (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim() }
}

/** Whether exactly this process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await identify(identity.pid)
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId
}

/** This process; it runs, so it is there. */
export async function identifySelf(): Promise<ProcessIdentity> {
  const self = await identify(process.pid)
  if (self === undefined) throw new Error('this process is not in /proc: is /proc mounted?')
  return self
}

/** Signals a process if it still is the one meant; returns whether it was. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false
  try {
    return process.kill(identity.pid, signal)
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false
    throw error
  }
}

async function readProcess(path: string): Promise<string | undefined> {
  try {
    return await readTextIfAny(path)
  } catch (error) {
    // The process ended between open and read.
    if (systemCode(error) === 'ESRCH') return undefined
    throw error
  }
}
