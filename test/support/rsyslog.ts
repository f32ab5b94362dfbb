// A real rsyslog for tests: run on free ports with a configuration of its own, ended by the number of its process.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:net'
import { eventually, freePort } from './server-process.ts'

const program = '/usr/sbin/rsyslogd'

export const hasRsyslog = (): boolean => existsSync(program)

/** A message as rsyslog understood it. */
export interface Received {
  readonly severity: string
  readonly facility: string
  readonly app: string
  readonly pid: string
  readonly host: string
  readonly msg: string
}

export interface Rsyslog {
  /** The same for UDP and TCP. */
  readonly port: number
  readonly socket: string
  readonly received: () => readonly Received[]
  /** Ends it at once; what it had received is there. */
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
  readonly remove: () => Promise<void>
}

export async function makeRsyslog(): Promise<Rsyslog> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-rsyslog-'))
  const port = await freePort()
  const socket = join(folder, 'log.sock')
  const out = join(folder, 'out.log')
  const config = join(folder, 'rsyslog.conf')
  const fields = ['syslogseverity-text', 'syslogfacility-text', 'app-name', 'procid', 'hostname', 'msg']
  await writeFile(
    config,
    `global(workDirectory="${folder}" maxMessageSize="8k")
module(load="imudp")
module(load="imtcp")
module(load="imptcp")
input(type="imudp" address="127.0.0.1" port="${port}" rcvbufSize="1m")
input(type="imtcp" address="127.0.0.1" port="${port}")
input(type="imptcp" path="${socket}" unlink="on")
template(name="plain" type="string" string="${fields.map((name) => `%${name}%`).join('\\t')}\\n")
action(type="omfile" file="${out}" template="plain" asyncWriting="off" flushOnTXEnd="on")
`,
  )
  let stop = (): Promise<void> => Promise.resolve()
  const start = async (): Promise<void> => {
    const child = spawn(program, ['-n', '-f', config, '-i', join(folder, 'pid')], { stdio: ['ignore', 'pipe', 'pipe'] })
    let errors = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (errors += part.toString()))
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    stop = async () => {
      child.kill('SIGTERM')
      await ended
    }
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`rsyslogd ended with ${child.exitCode}: ${errors}`)
      if (!existsSync(socket)) throw new Error(`rsyslogd has made no socket yet: ${errors}`)
      await new Promise<void>((resolve, reject) => {
        const probe = connect(port, '127.0.0.1', () => {
          probe.destroy()
          resolve()
        }).on('error', reject)
      })
    })
  }
  await start()
  return {
    port,
    socket,
    received: () =>
      !existsSync(out)
        ? []
        : readFileSync(out, 'utf8')
            .split('\n')
            .slice(0, -1)
            .map((line) => {
              const [severity = '', facility = '', app = '', pid = '', host = '', msg = ''] = line.split('\t')
              return { severity, facility, app, pid, host, msg }
            }),
    start,
    stop: () => stop(),
    async remove() {
      await stop()
      await rm(folder, { recursive: true })
    },
  }
}
