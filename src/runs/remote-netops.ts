// Calls netops on a host: its own commands, whose documents are read, and the commands of effects that it carries out.
import { hostname } from 'node:os'
import * as z from 'zod'
import type { HostCommand, HostConnection } from '../drivers/hosts/port.ts'
import { errorCodes, NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import type { LeaseEffect, RunEffect } from '../model/effects.ts'
import { accountName } from '../system/account.ts'

const failed = z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() })

const callTimeoutMs = 60_000
// Leases and failures: a few KB.
const longestDocument = 2 ** 20

/**
 * Runs one of netops' own commands on a host and reads its document.
 * @param shape the fields of the document that are asked for
 * @throws NetopsError what the document says went wrong, or `failed` without a document
 */
export async function callNetops<Shape extends z.ZodRawShape>(
  connection: HostConnection,
  { argv, stdin }: HostCommand,
  shape: Shape,
): Promise<z.infer<z.ZodObject<Shape>>> {
  const host = connection.name
  const { stdout, stderr, code } = await connection.run([...argv, '--json'], {
    stdin,
    timeoutMs: callTimeoutMs,
    most: longestDocument,
  })
  // Login banners may stand before the document.
  const document = parseJson(stdout.trim().split('\n').at(-1) ?? '')
  const refusal = z.object({ error: failed }).safeParse(document)
  if (refusal.success) {
    const { error } = refusal.data
    const resumable = error.code === 'locked' && argv.includes('renew')
    throw new NetopsError(error.code, { host, message: error.message, hint: error.hint, resumable })
  }
  const answer = z.object(shape).safeParse(document)
  if (answer.success) return answer.data
  const reason = stderr.trim() || `it exited with ${code}`
  throw new NetopsError('failed', { host, message: `netops on the host did not answer: ${reason}` })
}

/** The command of an effect that netops on the host carries out; without the effect's document. */
export function remoteCommand(effect: RunEffect): HostCommand {
  const { netops, run, root } = effect
  const place = [run, '--root', root]
  switch (effect.kind) {
    case 'host-run':
      return { argv: [netops, 'host', 'start', ...place], stdin: { text: JSON.stringify(effect.input) } }
    case 'undo-host-run':
      return { argv: [netops, 'host', 'undo', ...place] }
    case 'lease': {
      const holder = { run, reason: effect.reason, user: accountName(), host: hostname() }
      const stdin = effect.action === 'take' ? { stdin: { text: JSON.stringify(holder) } } : {}
      const names = effect.leases === undefined ? [] : ['--leases', effect.leases.join(',')]
      return { argv: [netops, 'host', 'lease', effect.action, ...place, ...names], ...stdin }
    }
  }
}

/** Takes a host, renews or gives it back; returns from whom it was taken over, if so. */
export async function leaseRemotely(
  connection: HostConnection,
  effect: LeaseEffect,
  action: LeaseEffect['action'] | 'renew',
): Promise<string | undefined> {
  const { argv, stdin } = remoteCommand(effect)
  const renewing = argv.map((word, index) => (index === 3 ? 'renew' : word))
  const command = action === 'renew' ? { argv: renewing } : { argv, stdin }
  return (await callNetops(connection, command, { ok: z.literal(true), takenFrom: z.string().optional() })).takenFrom
}
