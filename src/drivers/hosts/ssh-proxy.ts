// The way to a host by a ProxyCommand: what that says is the reason where it does not lead there.
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { NetopsError } from '../../model/errors.ts'
import { pipeTo } from '../../system/exec.ts'
import { sshCommand } from './ssh-hint.ts'
import type { SshSettings } from './ssh-settings.ts'

/** What the command of a host said last. */
interface Proxy {
  readonly said: string[]
  readonly over: Promise<undefined>
  isOver: boolean
}

const proxies = new WeakMap<SshSettings, Proxy>()

// A connection that is made by then needs no words; one that is not may be waiting for the operator: to log in elsewhere.
const patienceMs = 2000
// What a process said before it ended comes a moment after its end.
const lastWordsMs = 1000
const mostLines = 3
const longestLine = 300

/**
 * Starts the command.
 * @param tell hears what it says where that takes longer, with the host in front
 */
export async function dialByCommand(
  settings: SshSettings,
  command: string,
  tell: (line: string) => void,
): Promise<Duplex> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>()
  const proxy: Proxy = { said: [], over, isOver: false }
  proxies.set(settings, proxy)
  let isTold = false
  const show = (line: string): void => tell(`${settings.name}: ProxyCommand: ${line.slice(0, longestLine)}`)
  const patience = setTimeout(() => {
    isTold = true
    proxy.said.forEach(show)
  }, patienceMs)
  const hear = (line: string): void => {
    if (isTold) show(line)
    if (line.trim() !== '') proxy.said.push(line)
    if (proxy.said.length > mostLines) proxy.said.shift()
  }
  const stream = await pipeTo(['sh', '-c', `exec ${command}`], hear, () => {
    proxy.isOver = true
    resolve(undefined)
  })
  stream.once('close', () => clearTimeout(patience))
  return stream
}

/** What went wrong with a connection, in the words of its ProxyCommand where that is what did. */
export async function inProxysWords(settings: SshSettings, error: unknown): Promise<unknown> {
  const proxy = proxies.get(settings)
  if (proxy === undefined || !(error instanceof NetopsError) || error.code !== 'unreachable') return error
  await Promise.race([proxy.over, sleep(lastWordsMs, undefined, { ref: false })])
  const said = proxy.said.map((line) => line.trim().slice(0, longestLine)).join('; ')
  if (said === '' && !proxy.isOver) return error
  const { name, user, address, port } = settings
  const reason = said === '' ? 'it ended without a word' : said
  return new NetopsError('unreachable', {
    host: name,
    message: `the ProxyCommand does not lead to ${user}@${address} port ${port}: ${reason}`,
    hint: `try: ${sshCommand(settings, 'true')}`,
    cause: error.cause,
  })
}
