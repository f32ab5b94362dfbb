// The way to a host before anybody logs in: TCP, a ProxyCommand, or a channel through a host that is connected already.
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Client } from 'ssh2'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { isForbidden } from './ssh-command.ts'
import { sshCommand } from './ssh-hint.ts'
import { dialByCommand } from './ssh-proxy.ts'
import type { SshSettings } from './ssh-settings.ts'
import { gatherWrites } from './ssh-transport.ts'

/** A connection that was made a while ago, unless it was lost since. */
export async function reached(way: Promise<Duplex>, settings: SshSettings): Promise<Duplex> {
  const socket = await way
  if (socket.destroyed) throw unreachable(settings, socket.errored ?? new Error('the host ended the connection'))
  return socket
}

/**
 * A connection of our own, or the pipe of a ProxyCommand.
 * @param tell hears what that says
 */
export async function dialDirectly(settings: SshSettings, tell: (line: string) => void): Promise<Duplex> {
  const { address, port, family, bindAddress, proxyCommand, connectTimeoutMs } = settings
  if (proxyCommand !== undefined) return dialByCommand(settings, proxyCommand, tell)
  const socket = connectTcp({
    ...{ host: address, port, noDelay: true },
    ...(family === 'any' ? {} : { family: family === 'inet' ? 4 : 6 }),
    ...(bindAddress === undefined ? {} : { localAddress: bindAddress }),
  })
  const late = setTimeout(() => {
    socket.destroy(new Error(`no connection within ${connectTimeoutMs / 1000} s`))
  }, connectTimeoutMs)
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    gatherWrites(socket)
    return socket
  } catch (error) {
    throw unreachable(settings, error)
  } finally {
    clearTimeout(late)
  }
}

/** A connection that a host on the way makes for us. */
export function dialThrough(
  { client, settings: hop }: { readonly client: Client; readonly settings: SshSettings },
  settings: SshSettings,
): Promise<Duplex> {
  const { name, address, port, connectTimeoutMs } = settings
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const refuse = (error: Error): void =>
    reject(
      new NetopsError('unreachable', {
        host: name,
        message: `${hop.address} does not lead to ${address} port ${port}: ${error.message}`,
        hint: isForbidden(error)
          ? 'its sshd may forbid it: AllowTcpForwarding, PermitOpen (sshd_config(5))'
          : `try: ${sshCommand(settings, 'true')}`,
        cause: error,
      }),
    )
  const late = setTimeout(
    () => refuse(new Error(`no connection within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  )
  client.once('close', onClose)
  function onClose(): void {
    refuse(new Error('the connection to it was lost'))
  }
  try {
    client.forwardOut('127.0.0.1', 0, address, port, (error, channel) => {
      if (error === undefined) resolve(channel)
      else refuse(error)
    })
  } catch (error) {
    // ssh2 throws where the connection to the hop has gone.
    refuse(new Error(messageOf(error)))
  }
  return promise.finally(() => {
    clearTimeout(late)
    client.off('close', onClose)
  })
}

// That something could not be written any more is how the other side's end is noticed.
const reasonOf = (error: unknown): string =>
  systemCode(error) === 'EPIPE' ? 'the host ended the connection' : messageOf(error)

/** A host that did not come about, or was lost. */
export function unreachable(settings: SshSettings, error: unknown): NetopsError {
  const { name, user, address, port } = settings
  return new NetopsError('unreachable', {
    host: name,
    message: `cannot reach ${user}@${address} port ${port}: ${reasonOf(error)}`,
    hint: `try: ${sshCommand(settings, 'true')}`,
    cause: error,
  })
}

const transientCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EPIPE', 'EAI_AGAIN'],
])

/** Whether it may go away by itself: a restart, a dropped connection. A host that stays silent had its time. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof NetopsError) || error.code !== 'unreachable') return false
  const { cause } = error
  // A host on the way was tried often enough by itself.
  if (cause instanceof NetopsError) return false
  return (
    transientCodes.has(systemCode(cause) ?? '') ||
    /lost before handshake|ended the connection|Connection refused|ECONNRESET/.test(messageOf(cause))
  )
}
