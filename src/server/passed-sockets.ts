// Listening sockets that were opened before this process and outlive it: from systemd (sd_listen_fds(3)), or from whatever
// speaks as it does. Which of them belongs to which port its name says where that is a number (LISTEN_FDNAMES), else the
// kernel: of a socket that is bound and was not listened on yet it tells nothing.
import { readFileSync, readlinkSync } from 'node:fs'
import { systemCode } from '../model/errors.ts'

// sd_listen_fds(3): SD_LISTEN_FDS_START
const firstDescriptor = 3
// Two ports of at most 1024 threads each.
const most = 2048

/** The descriptors of passed sockets, by the TCP port that they listen on, each list in the order in which they came. */
export type PassedSockets = ReadonlyMap<number, readonly number[]>

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
  readonly read: (path: string) => string
  readonly readLink: (path: string) => string
}

const thisProcess = (): Surroundings => ({
  env: process.env,
  pid: process.pid,
  read: (path) => readFileSync(path, 'utf8'),
  readLink: (path) => readlinkSync(path),
})

/**
 * The sockets that this process was given.
 * @returns none where the environment names none, or names another process's
 * @throws Error where a descriptor is named and is no listening TCP socket
 */
export function passedSockets({ env, pid, read, readLink }: Surroundings = thisProcess()): PassedSockets {
  const ports = new Map<number, number[]>()
  // What a parent left in the environment of its children is not theirs.
  if (Number(env.LISTEN_PID) !== pid) return ports
  const count = Number(env.LISTEN_FDS)
  if (!Number.isInteger(count) || count < 1 || count > most) return ports
  const names = (env.LISTEN_FDNAMES ?? '').split(':')
  const portByInode = listeningPorts(read)
  for (let descriptor = firstDescriptor; descriptor < firstDescriptor + count; descriptor += 1) {
    const named = /^\d{1,5}$/.exec(names[descriptor - firstDescriptor] ?? '')?.[0]
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/self/fd/${descriptor}`))?.[1]
    const port = inode === undefined ? undefined : named === undefined ? portByInode.get(inode) : Number(named)
    if (port === undefined) throw new Error(`descriptor ${descriptor} was passed and is no listening TCP socket`)
    ports.set(port, [...(ports.get(port) ?? []), descriptor])
  }
  return ports
}

// proc(5), /proc/net/tcp: sl, local_address, rem_address, st, ..., the tenth word is the inode; 0A is TCP_LISTEN.
const listenState = '0A'

function listeningPorts(read: (path: string) => string): ReadonlyMap<string, number> {
  const ports = new Map<string, number>()
  for (const file of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    for (const line of readIfAny(read, file).split('\n').slice(1)) {
      const words = line.trim().split(/\s+/)
      const [, local = '', , state] = words
      const inode = words[9]
      if (inode !== undefined && state === listenState) ports.set(inode, parseInt(local.split(':')[1] ?? '', 16))
    }
  }
  return ports
}

/** Without IPv6 the kernel has no file for it. */
function readIfAny(read: (path: string) => string, path: string): string {
  try {
    return read(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ''
    throw error
  }
}

/**
 * The descriptors of one port, dealt out to threads: each thread gets its own, and where there are more than threads, some
 * get several.
 * @returns one list a thread; an empty one where there are fewer descriptors than threads
 */
export const dealOut = (descriptors: readonly number[], threads: number): readonly (readonly number[])[] =>
  Array.from({ length: threads }, (_, thread) => descriptors.filter((_each, index) => index % threads === thread))
