// Asks a host for its certificate: the beginning of a key exchange (RFC 4253, 7; RFC 8731), as ssh-keyscan -c does it. What
// comes is public and proves nothing by itself: the certificate is checked, and the connection proper proves that the host
// has the certified key. ssh2 itself does not know certificates.
import { createECDH, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { certificateTypes } from './ssh-certificate.ts'
import { uint32, WireReader, wireString } from './ssh-wire.ts'

const message = { disconnect: 1, kexInit: 20, ecdhInit: 30, ecdhReply: 31 }
const exchanges = ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256']
// Never used: the exchange ends before. They only have to be such as any server takes.
const ciphers = 'aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr'
const macs = 'hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512'
// RFC 4253, 6.1: what every server takes at least; a reply holds one certificate.
const largestPacket = 35_000
const largestGreeting = 64 * 1024

/**
 * Reads the certificate that a host presents, and leaves the connection.
 * @returns undefined where it has none
 * @throws Error where the host does not go on as SSH would
 */
export async function scanCertificate(socket: Duplex, timeoutMs: number): Promise<Buffer | undefined> {
  const late = sleep(timeoutMs, undefined, { ref: false }).then(() => {
    throw new Error(`the host did not present its certificate within ${timeoutMs} ms`)
  })
  try {
    return await Promise.race([converse(socket), late])
  } finally {
    // It still comes when the conversation is over, and nobody waits for it then.
    late.catch(() => undefined)
    socket.destroy()
  }
}

async function converse(socket: Duplex): Promise<Buffer | undefined> {
  const input = bytesOf(socket)
  socket.write('SSH-2.0-netops\r\n')
  await greeting(input)
  socket.write(packet(kexInit()))
  for (;;) {
    const payload = await nextPacket(input)
    switch (payload[0]) {
      case message.kexInit: {
        const exchange = chosen(payload)
        if (exchange === undefined) throw new Error('the host has no key exchange that netops knows')
        socket.write(packet(Buffer.concat([Buffer.of(message.ecdhInit), wireString(ephemeral(exchange))])))
        break
      }
      case message.ecdhReply:
        return new WireReader(payload.subarray(1)).string()
      case message.disconnect:
        return undefined
      case undefined:
      default:
      // RFC 4253, 11: debugging and other messages may stand between.
    }
  }
}

interface Bytes {
  /** Exactly so many of the next bytes; undefined when they end before. */
  take(length: number): Promise<Buffer | undefined>
}

function bytesOf(socket: Duplex): Bytes {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let waiting: Buffer = Buffer.alloc(0)
  return {
    async take(length) {
      while (waiting.length < length) {
        // Broken off is over, too: the host has nothing to say to what it was asked.
        const next = await chunks.next().catch(() => ({ done: true }) as const)
        if (next.done === true) return undefined
        waiting = Buffer.concat([waiting, next.value])
      }
      const taken = waiting.subarray(0, length)
      waiting = waiting.subarray(length)
      return taken
    },
  }
}

/** RFC 4253, 4.2: other lines may come before the version. */
async function greeting(input: Bytes): Promise<void> {
  let line = ''
  for (let read = 0; read < largestGreeting; read += 1) {
    const byte = await input.take(1)
    if (byte === undefined) throw new Error('the host ended the connection before it said its version')
    if (byte[0] !== 10) line += byte.toString('latin1')
    else if (line.startsWith('SSH-')) return
    else line = ''
  }
  throw new Error('the host does not say an SSH version')
}

/** RFC 4253, 6. A host that has no such certificate may just end the connection. */
async function nextPacket(input: Bytes): Promise<Buffer> {
  const length = (await input.take(4))?.readUInt32BE()
  if (length === undefined) return Buffer.of(message.disconnect)
  if (length > largestPacket || length < 2) throw new Error('the host sent what is no SSH packet')
  const body = await input.take(length)
  if (body === undefined) return Buffer.of(message.disconnect)
  return body.subarray(1, length - (body[0] ?? 0))
}

function packet(payload: Buffer): Buffer {
  const padding = 8 - ((payload.length + 5) % 8)
  const filled = padding < 4 ? padding + 8 : padding
  return Buffer.concat([uint32(payload.length + 1 + filled), Buffer.of(filled), payload, Buffer.alloc(filled)])
}

const kexInit = (): Buffer => {
  const lists = [exchanges.join(','), certificateTypes.join(','), ciphers, ciphers, macs, macs, 'none', 'none', '', '']
  return Buffer.concat([Buffer.of(message.kexInit), randomBytes(16), ...lists.map(wireString), Buffer.alloc(5)])
}

/** RFC 4253, 7.1: the first of ours that the host has too. */
function chosen(payload: Buffer): string | undefined {
  const theirs = new WireReader(payload.subarray(17)).text().split(',')
  return exchanges.find((name) => theirs.includes(name))
}

const ephemeral = (exchange: string): Buffer =>
  exchange.startsWith('curve25519')
    ? generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
    : createECDH('prime256v1').generateKeys()
