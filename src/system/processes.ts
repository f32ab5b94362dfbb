// Who a process is: a number is reused, a number with its start time in one boot is not.
import { promises as fs } from 'node:fs'
import { z } from 'zod'
import { systemCode } from '../model/errors.ts'
import { listIfAny, readTextIfAny } from './files.ts'

export const processIdentity = z.strictObject({ pid: z.number(), startTime: z.string(), bootId: z.string() })
export type ProcessIdentity = z.infer<typeof processIdentity>

/** The start time in a `/proc/PID/stat` text; undefined for a process that has ended (a zombie) or a text that is none. */
export function startTimeIn(stat: string): string | undefined {
  // proc(5): the name in brackets may hold spaces; field 3 is the state, field 22 the start time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

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

/** Whether another process of this machine, as far as this user may look, has a file open for writing. */
export async function isOpenForWriting(path: string): Promise<boolean> {
  const file = await fs.realpath(path).catch(noneOf)
  if (file === undefined) return false
  for (const pid of await listIfAny('/proc')) {
    if (/^\d+$/.test(pid) && Number(pid) !== process.pid && (await holds(pid, file))) return true
  }
  return false
}

async function holds(pid: string, file: string): Promise<boolean> {
  for (const fd of (await fs.readdir(`/proc/${pid}/fd`).catch(noneOf)) ?? []) {
    if ((await fs.readlink(`/proc/${pid}/fd/${fd}`).catch(noneOf)) !== file) continue
    const info = (await readTextIfAny(`/proc/${pid}/fdinfo/${fd}`).catch(noneOf)) ?? ''
    // proc(5): the flags are octal; open(2): the last two bits say how it may be used, 0 is for reading only.
    if ((Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0', 8) & 3) !== 0) return true
  }
  return false
}

// The process or its file is gone by now, or is another user's.
const absent = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM']
function noneOf(error: unknown): undefined {
  if (absent.includes(systemCode(error) ?? '')) return undefined
  throw error
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
