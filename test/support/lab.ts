// A lab for a test file: real hosts, a name of its own, and gone afterwards whatever the tests did.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { startLab, stopLab } from '../../src/lab/lab.ts'
import type { Lab } from '../../src/lab/lab.ts'
import { execText } from '../../src/system/exec.ts'
import { identify } from '../../src/system/processes.ts'

/** A lab's name that no other test uses. */
export const uniqueLabName = (): string => `test-${randomBytes(4).toString('hex')}`

export interface LabOfTest {
  /** The lab; only inside tests and hooks, when it is up. */
  readonly lab: () => Lab
  /** A host of it, for `execOnHost` and the faults. */
  readonly host: (name: string) => Lab['hosts'][number]
}

/** Boots hosts before the tests of a file and removes them after. Needs root on Debian, as all of test/lab does. */
export function useLab(...hosts: readonly string[]): LabOfTest {
  const name = uniqueLabName()
  let folder: string | undefined
  let started: Lab | undefined
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'netops-lab-'))
    started = await startLab({ name, hosts, out: join(folder, 'fleet') })
  })
  afterAll(async () => {
    await stopLab(name)
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })
  const lab = (): Lab => {
    if (started === undefined) throw new Error('the lab is not up yet')
    return started
  }
  const host = (wanted: string) => {
    const found = lab().hosts.find((candidate) => candidate.name === wanted)
    if (found === undefined) throw new Error(`this lab has no host ${wanted}`)
    return found
  }
  return { lab, host }
}

/** What a lab could leave on a machine: interfaces, mounts, control groups, and processes that have to do with it. */
export async function tracesOf(lab: string): Promise<Record<string, readonly string[]>> {
  const links = JSON.parse(await execText(['ip', '-json', 'link'])) as { ifname: string }[]
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).trim().split('\n')
  const groups = await execText(['find', '/sys/fs/cgroup', '-type', 'd', '-name', lab])
  const labs = await readdir('/var/lib/netops-lab').catch(() => [])
  return {
    links: links.map(({ ifname }) => ifname).sort(),
    mounts: mounts.sort(),
    groups: groups.split('\n').filter((line) => line !== ''),
    processes: await processesOf(lab),
    folders: labs.filter((name) => name === lab),
  }
}

async function processesOf(lab: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        // A zombie has ended; only the machine's process 1 has not looked yet.
        if ((await identify(Number(pid))) === undefined) return []
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')
        const group = await readFile(`/proc/${pid}/cgroup`, 'utf8')
        return command.includes(lab) || group.includes(lab) ? [`${pid} ${command}`] : []
      } catch {
        // It ended while we looked.
        return []
      }
    }),
  )
  return found.flat()
}
