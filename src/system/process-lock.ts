// A lock that one process of this machine holds for as long as it lives: a file that names the holder, hard-linked into place.
// Whoever was killed holds nothing any more, and leaves nothing that has to be cleared away first.
import { randomBytes } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseJson } from '../model/json.ts'
import { linked, readTextIfAny, sha256OfText } from './files.ts'
import { identifySelf, isAlive, processIdentity } from './processes.ts'

export interface ProcessLock {
  release(): Promise<void>
}

/**
 * Takes a lock for this process.
 * @returns the lock, or undefined where a process that lives has it
 */
export async function tryProcessLock(path: string): Promise<ProcessLock | undefined> {
  const own = `${JSON.stringify(await identifySelf())}\n`
  const ticket = `${path}.${randomBytes(6).toString('hex')}`
  await fs.writeFile(ticket, own, { mode: 0o600, flush: true })
  try {
    while (!(await linked(ticket, path))) {
      const held = await readTextIfAny(path)
      if (held !== undefined && (await isHeld(held))) return undefined
      if (held !== undefined && (await replaceDead(ticket, path, held))) break
      // It was given back between two looks, or somebody is just replacing the dead holder.
      await sleep(5)
    }
  } finally {
    await fs.rm(ticket, { force: true })
  }
  return {
    async release() {
      if ((await readTextIfAny(path)) === own) await fs.rm(path, { force: true })
    },
  }
}

/** Holders write their file whole before it gets its name: one that cannot be read is what a power cut left. */
async function isHeld(text: string): Promise<boolean> {
  const holder = processIdentity.safeParse(parseJson(text))
  return holder.success && isAlive(holder.data)
}

/**
 * Puts our ticket in the place of a dead holder's file. Only the one who claimed that very file does so, and a claim whose
 * owner died is claimed in turn: nobody's living lock is ever replaced.
 * @returns whether it was done; if not, somebody else was faster
 */
async function replaceDead(ticket: string, path: string, dead: string): Promise<boolean> {
  const claimOf = (text: string): string => `${path}.after-${sha256OfText(text).slice(0, 16)}`
  const claims = [claimOf(dead)]
  for (let claim = claimOf(dead); !(await linked(ticket, claim)); claims.push(claim)) {
    const claimed = await readTextIfAny(claim)
    if (claimed === undefined || (await isHeld(claimed))) return false
    claim = claimOf(claimed)
  }
  const ours = (await readTextIfAny(path)) === dead
  if (ours) await fs.rename(ticket, path)
  for (const done of ours ? claims : claims.slice(-1)) await fs.rm(done, { force: true })
  return ours
}
