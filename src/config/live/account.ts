// What the service's account may do with files: asked of the system itself, as that account, wherever that is possible.
import { constants, promises as fs } from 'node:fs'
import { userInfo } from 'node:os'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { exec, type ExecOptions, type ExecResult } from '../../system/exec.ts'
import { good, problem, warning, type LiveFinding } from './finding.ts'

const accesses = {
  read: { test: ['-r'], bits: constants.R_OK },
  write: { test: ['-w'], bits: constants.W_OK },
  /** A new file needs both of its folder. */
  'make files in': { test: ['-w', '-x'], bits: constants.W_OK | constants.X_OK },
} as const
export type Access = keyof typeof accesses

export interface Account {
  readonly user: string
  /** The account's groups, or those of whoever stands in for it. */
  readonly groups: readonly number[]
  /** Who tries in its place, and why; undefined where the account itself is asked. */
  readonly standIn?: { readonly name: string; readonly why: string }
  readonly may: (access: Access, path: string, signal: AbortSignal) => Promise<boolean>
}

const processLimitMs = 5000
// `su` without a dash leaves root without the sbin folders, where runuser lies.
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const ask = (argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> =>
  exec(argv, { timeoutMs: processLimitMs, env: { PATH, LC_ALL: 'C' }, ...options })

/** The account of this name, or the current user in its place. */
export async function accountOf(user: string): Promise<Account> {
  if (user === ownName()) return { user, groups: ownGroups(), may: mayBeDoneHere }
  const id = await ask(['id', '-u', user])
  if (id.code !== 0) return standInFor(user, `there is no account ${user} yet`)
  if (process.geteuid?.() !== 0) return standInFor(user, `only root can try as ${user}`)
  const groups = await groupsAs(user)
  return typeof groups === 'string'
    ? standInFor(user, `runuser does not work here: ${groups}`)
    : { user, groups, may: (access, path, signal) => mayBeDoneAs(user, { access, path, signal }) }
}

/** An account's groups, told by a process of its own; a text says why there can be none, as in a container without rights. */
async function groupsAs(user: string): Promise<readonly number[] | string> {
  try {
    const { code, stdout, stderr } = await ask(['runuser', '-u', user, '--', 'id', '-G'])
    return code === 0 ? stdout.trim().split(/\s+/).map(Number) : stderr.trim()
  } catch (error) {
    if (error instanceof NetopsError) return messageOf(error)
    throw error
  }
}

const standInFor = (user: string, why: string): Account => ({
  user,
  groups: ownGroups(),
  standIn: { name: ownName(), why },
  may: mayBeDoneHere,
})

const ownGroups = (): readonly number[] => [process.getegid?.() ?? -1, ...(process.getgroups?.() ?? [])]

/** The name of the account that this process runs as. */
export function ownName(): string {
  try {
    return userInfo().username
  } catch {
    // Nobody has to give a user a name: containers often run as a bare number.
    return `user ${process.geteuid?.() ?? 'unknown'}`
  }
}

interface AccessQuestion {
  readonly access: Access
  readonly path: string
  readonly signal: AbortSignal
}

async function mayBeDoneAs(user: string, { access, path, signal }: AccessQuestion): Promise<boolean> {
  const asked = accesses[access].test.map((flag) => ask(['runuser', '-u', user, '--', 'test', flag, path], { signal }))
  const answers = await Promise.all(asked)
  const broken = answers.find(({ code }) => code > 1)
  if (broken === undefined) return answers.every(({ code }) => code === 0)
  throw new NetopsError('failed', { message: `${path} cannot be tried as ${user}: ${broken.stderr.trim()}` })
}

const refusals = ['EACCES', 'EPERM', 'EROFS']

async function mayBeDoneHere(access: Access, path: string): Promise<boolean> {
  try {
    await fs.access(path, accesses[access].bits)
    return true
  } catch (error) {
    if (refusals.includes(systemCode(error) ?? '')) return false
    throw error
  }
}

/** The finding for an access that was tried: for certain of the account itself, as a warning of whoever stood in. */
export function judgeAccess(key: string, account: Account, may: boolean, what: string): LiveFinding {
  const { user, standIn } = account
  const can = may ? 'can' : 'cannot'
  if (standIn !== undefined) return warning(key, `${standIn.name} ${can} ${what}, but ${standIn.why}`)
  return may ? good(key, `${user} ${can} ${what}`) : problem(key, `${user} ${can} ${what}`)
}
