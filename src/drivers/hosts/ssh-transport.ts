// How ssh2 is used: loaded late, and without three of its habits, which take more time than the work itself
// (docs/benchmarks.md, What a push spends).
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { Client } from 'ssh2'

/** Loading it takes as long as a host takes to answer a connection, so connections are made first. */
export async function loadSsh2() {
  await setImmediate()
  return (await import('ssh2')).default
}

/**
 * Sends together what is written in one turn of the event loop. ssh2 writes each packet in three pieces, and each would be
 * a system call and a TCP segment of its own.
 */
export function gatherWrites(socket: Socket): void {
  const write = socket.write.bind(socket)
  let gathering = false
  // No subclass: connect() puts Socket's own method back (Node's lib/net.js).
  socket.write = (...given: readonly unknown[]): boolean => {
    if (!gathering) {
      gathering = true
      socket.cork()
      process.nextTick(() => {
        gathering = false
        socket.uncork()
      })
    }
    return Boolean(Reflect.apply(write, undefined, given))
  }
}

/** Leaves out what ssh2 does in vain; to be called once the client connects. */
export function leaveOutHabits(client: Client): void {
  passOverOtherHostKeys(client)
  // Keys are new after each exchange.
  client.on('handshake', () => holdKeysAsObjects(client))
}

/**
 * Gives the ciphers of a connection their keys as key objects. ssh2 holds them as bytes and makes a cipher a packet of them;
 * Node 24 then throws and catches two errors to find out that bytes are no key object (lib/internal/crypto/keys.js), which
 * takes longer than to encrypt the packet. For the event `handshake`: keys are new after each exchange.
 *
 * These are insides of ssh2. Where they are other than expected, nothing is changed.
 */
export function holdKeysAsObjects(client: Client): void {
  // Loaded late, as ssh2 itself, which has loaded it by now.
  const { createSecretKey } = process.getBuiltinModule('node:crypto')
  const protocol: unknown = Reflect.get(client, '_protocol')
  for (const name of ['_cipher', '_decipher']) {
    const cipher: unknown = isObject(protocol) ? Reflect.get(protocol, name) : undefined
    if (!isObject(cipher)) continue
    for (const [field, value] of Object.entries(cipher)) {
      if (field.includes('Key') && Buffer.isBuffer(value)) Reflect.set(cipher, field, createSecretKey(value))
    }
  }
}

/**
 * Answers the list of all its keys that OpenSSH's server sends after a login (its PROTOCOL, hostkeys-00@openssh.com) with a
 * keepalive. ssh2 has the host prove each of them by a signature, while it should begin the command; here they are of no use,
 * as with `UpdateHostKeys no` of ssh_config(5). Without any answer the host would wait for its list to be acknowledged before
 * it goes on (Nagle's algorithm), and that takes 40 ms here (delayed acknowledgements of Linux).
 *
 * These are insides of ssh2. Where they are other than expected, nothing is changed.
 */
function passOverOtherHostKeys(client: Client): void {
  const protocol: unknown = Reflect.get(client, '_protocol')
  if (!isObject(protocol)) return
  const handlers: unknown = Reflect.get(protocol, '_handlers')
  const take: unknown = isObject(handlers) ? Reflect.get(handlers, 'GLOBAL_REQUEST') : undefined
  const ping: unknown = Reflect.get(protocol, 'ping')
  if (!isObject(handlers) || typeof take !== 'function' || typeof ping !== 'function') return
  Reflect.set(handlers, 'GLOBAL_REQUEST', (...given: readonly unknown[]): void => {
    const [, name, wantsReply] = given
    // What is called when an answer comes, in the order of the requests.
    const awaited: unknown = Reflect.get(client, '_callbacks')
    const isList = name === 'hostkeys-00@openssh.com' && wantsReply === false
    if (!isList || !Array.isArray(awaited)) return void Reflect.apply(take, undefined, given)
    awaited.push(() => undefined)
    Reflect.apply(ping, protocol, [])
  })
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
