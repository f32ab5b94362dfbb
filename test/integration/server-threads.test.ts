// The threads of network_server: one limit and one set of figures for all, sockets from whoever started it, and what
// becomes of everybody when one of them dies.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  ask,
  dial,
  eventually,
  here,
  metric,
  received,
  serverFile,
  start,
  startReady,
  useServers,
  type Running,
} from '../support/server-process.ts'
import { ailingThread } from '../support/ailing-thread.ts'

useServers()

// What systemd does with a socket unit: opens sockets, keeps them, and starts the server again whenever it has ended.
const holder = `
const net = require('node:net')
const { spawn } = require('node:child_process')
const { constants } = process.binding('tcp_wrap')
const [port, count, program, ...args] = process.argv.slice(2)
const open = () => net._createServerHandle('127.0.0.1', Number(port), 4, undefined, constants.UV_TCP_REUSEPORT)
const sockets = Array.from({ length: Number(count) }, open)
const env = { ...process.env, LISTEN_FDS: count, LISTEN_FDNAMES: sockets.map(() => port).join(':') }
let child
const begin = () => {
  const words = ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', program, ...args]
  child = spawn('sh', words, { stdio: ['ignore', 'inherit', 'inherit', ...sockets.map(({ fd }) => fd)], env })
  child.once('exit', (code) => {
    process.stdout.write(JSON.stringify({ msg: 'holder saw an end', code }) + '\\n')
    setTimeout(begin, 300)
  })
}
process.on('SIGUSR2', () => child.kill('SIGTERM'))
process.on('SIGTERM', () => {
  child.removeAllListeners('exit')
  child.once('exit', () => process.exit())
  child.kill('SIGTERM')
})
begin()
`

interface Held extends Running {
  readonly count: (msg: string) => number
}

interface Hold {
  readonly sockets: number
  readonly threads: number
  readonly env?: Readonly<Record<string, string>>
}

async function startHeld({ sockets, threads, env = {} }: Hold): Promise<Held> {
  const program = join(here.root, 'holder.cjs')
  writeFileSync(program, holder)
  const file = join(here.root, 'config.yaml')
  const args = ['--config', file, '--root', here.root, '--set', `server.worker_threads=${threads}`]
  const server = await start({
    env,
    program: process.execPath,
    args: [program, String(here.ports.server), String(sockets), serverFile(), ...args],
  })
  await server.logged('ready')
  return { ...server, count: (msg) => server.lines().filter((line) => line.msg === msg).length }
}

describe('threads', () => {
  it('are as many as the configuration says, and their figures one sum', async () => {
    const server = await startReady({ env: { NETWORK_SERVER_WORKER_THREADS: '3' } })
    expect(await server.logged('listening')).toMatchObject({ threads: 3 })
    const before = await metric('network_requests_total')
    await Promise.all(Array.from({ length: 60 }, () => ask('/health/live')))
    await eventually(async () => expect(await metric('network_requests_total')).toBe(before + 60))
    const wires = await Promise.all(Array.from({ length: 12 }, () => dial()))
    await eventually(async () => expect(await metric('network_connections_active')).toBe(12))
    for (const { socket } of wires) socket.destroy()
  })

  it('end with the process when one of them fails: nobody is left waiting, and the log says why', async () => {
    const { env, kill } = ailingThread()
    const server = await startReady({ env })
    const wires = await Promise.all(Array.from({ length: 20 }, () => dial()))
    kill()
    expect(await server.exit).toBe(1)
    await Promise.all(wires.map(({ ended }) => ended))
    expect(server.lines().at(-1)).toMatchObject({ level: 'FATAL', msg: 'serving thread 1 failed: rehearsed' })
  })
})

describe('sockets that were passed', () => {
  it('keep connections for the next process while there is none', async () => {
    const server = await startHeld({ sockets: 2, threads: 2 })
    process.kill(server.child.pid ?? 0, 'SIGUSR2')
    await server.logged('holder saw an end')
    const wires = await Promise.all(Array.from({ length: 8 }, () => dial()))
    for (const wire of wires) wire.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await Promise.all(wires.map((wire) => received(wire, 'HTTP/1.1 200 ')))
    // It answers before it is ready for work.
    await eventually(() => expect(server.count('ready')).toBe(2))
    for (const { socket } of wires) socket.destroy()
    await endHolder(server)
  })

  it('leave no connection hanging when a thread dies', async () => {
    const { env, kill, heal } = ailingThread()
    const server = await startHeld({ sockets: 4, threads: 4, env })
    kill()
    await server.logged('serving thread 1 failed: rehearsed')
    // A thread of the next process would die like the one before.
    heal()
    const answers = await Promise.all(Array.from({ length: 40 }, () => patient()))
    expect(answers.every((status) => status === 200)).toBe(true)
    expect(server.lines().find(({ msg }) => msg === 'holder saw an end')).toMatchObject({ code: 1 })
    await endHolder(server)
  })

  it('are served by as many threads as there are of them, and the log says so', async () => {
    const server = await startHeld({ sockets: 2, threads: 3 })
    await server.logged(`2 sockets were passed for port ${here.ports.server}, and 3 threads could serve it`)
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/health/live')))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    await endHolder(server)
  })

  it('are all served by fewer threads', async () => {
    const server = await startHeld({ sockets: 5, threads: 2 })
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/health/live')))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    await endHolder(server)
  })
})

/** A client that comes again when its connection breaks before it has an answer. */
const patient = async (): Promise<number> => eventually(async () => (await ask('/health/live')).status)

async function endHolder(server: Running): Promise<void> {
  server.child.kill('SIGTERM')
  await server.exit
}
