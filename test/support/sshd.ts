// A real SSH server on 127.0.0.1 for a test: its own keys, port and configuration, run as the current user.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SshTarget } from '../../src/drivers/hosts/ssh.ts'
import { execText } from '../../src/system/exec.ts'
import { identify, signalProcess } from '../../src/system/processes.ts'
import { freePort } from './free-port.ts'

export interface Sshd {
  readonly port: number
  /** How to reach it, with its key on file. */
  readonly target: Required<Pick<SshTarget, 'name' | 'address' | 'port' | 'user'>> &
    SshTarget & { readonly identity: string; readonly knownHosts: string }
  /** Its public host key: `ssh-ed25519 AAAA...`. */
  readonly hostKey: string
  /** The processes that serve its connections. */
  connections(): Promise<readonly number[]>
  /** Starts it again, so that it reads its configuration and keys anew. */
  restart(): Promise<void>
  /** Ends the server and all its connections. */
  stop(): Promise<void>
}

/**
 * @param folder an empty folder of the test's own
 * @param more lines of sshd_config, which may depend on the port
 */
export async function startSshd(
  folder: string,
  more: readonly string[] | ((port: number) => readonly string[]) = [],
): Promise<Sshd> {
  // sshd(8): where it drops its privileges to; made at boot where systemd starts it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const at = (name: string): string => join(folder, name)
  for (const name of ['host_key', 'user_key'])
    await execText(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at(name)])
  const hostKey = (await readFile(at('host_key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ')
  await writeFile(at('authorized_keys'), await readFile(at('user_key.pub')))
  const port = await freePort()
  const given = typeof more === 'function' ? more(port) : more
  const settings = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${at('host_key')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    ...['PidFile none', 'StrictModes no', 'UsePAM no', 'PasswordAuthentication no'],
    // bash(1), compiled with SSH_SOURCE_BASHRC as Debian's: an outermost shell reads the machine's own .bashrc, which may
    // take seconds for each command.
    // sshd_config(5) takes the first SetEnv alone.
    ['SetEnv SHLVL=2', ...given.filter(isSetEnv).map((line) => line.slice('SetEnv '.length))].join(' '),
    ...given.filter((line) => !isSetEnv(line)),
  ]
  await writeFile(at('sshd_config'), `${settings.join('\n')}\n`)
  await writeFile(at('known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`)
  const launch = async () => {
    const started = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], { stdio: 'ignore' })
    await once(started, 'spawn')
    await answers(port)
    return started
  }
  let server = await launch()
  const connections = async (): Promise<number[]> => {
    const pid = server.pid ?? 0
    return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number)
  }
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    for (const child of await connections()) await end(child)
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  }
  return {
    port,
    hostKey,
    connections,
    target: {
      name: 'web1',
      address: '127.0.0.1',
      port,
      user: userInfo().username,
      identity: at('user_key'),
      knownHosts: at('known_hosts'),
    },
    async restart() {
      await stop()
      server = await launch()
    },
    stop,
  }
}

const isSetEnv = (line: string): boolean => line.startsWith('SetEnv ')

/** Ends a process, which may just have ended by itself. */
async function end(pid: number): Promise<void> {
  const identity = await identify(pid)
  if (identity !== undefined) await signalProcess(identity, 'SIGKILL')
}

async function answers(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; await sleep(20)) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'data')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    } finally {
      socket.destroy()
    }
  }
}
