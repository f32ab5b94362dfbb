// What a look at this machine says of one key of the configuration, and the time that each look gets.
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'

export interface LiveFinding {
  /** The key that it is about: `security.cert_file`, `logging.outputs[1].path`. */
  readonly path: string
  readonly kind: 'problem' | 'warning' | 'good'
  readonly message: string
}

export interface LivePlace {
  /** `/`, or an absolute folder that is put before every absolute path of the configuration. */
  readonly root: string
  /** The service's account. */
  readonly user: string
  readonly now: () => Date
}

export type Say = (path: string, message: string) => LiveFinding

export const good: Say = (path, message) => ({ path, kind: 'good', message })
export const warning: Say = (path, message) => ({ path, kind: 'warning', message })
export const problem: Say = (path, message) => ({ path, kind: 'problem', message })

const timeLimitMs = 5000

export type Look = (signal: AbortSignal) => Promise<readonly LiveFinding[]>

/**
 * Takes a look for at most 5 s. A look that takes longer, or that the system refuses, is a finding too.
 * @param say how bad that is
 */
export async function withinLimit(path: string, look: Look, say: Say = problem): Promise<readonly LiveFinding[]> {
  const limit = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly LiveFinding[]>((resolve) => {
    timer = setTimeout(() => resolve([say(path, `not known after ${timeLimitMs / 1000} s`)]), timeLimitMs)
  })
  try {
    return await Promise.race([look(limit.signal), late])
  } catch (error) {
    if (!(error instanceof NetopsError) && systemCode(error) === undefined) throw error
    return [say(path, messageOf(error))]
  } finally {
    clearTimeout(timer)
    // What a late look has begun, such as a process or a connection, ends with it.
    limit.abort()
  }
}
