// `netops config init`: the files that a new fleet begins with. Asks what it was not told, writes nothing over what is there.
import { join, resolve } from 'node:path'
import * as z from 'zod'
import type { NewFleet } from '../../config/new-fleet.ts'
import { showValue } from '../../config/problems.ts'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { defineCommand, type CommandContext } from '../command.ts'
import { parseOptions } from '../options.ts'

export const configInit = defineCommand({
  name: 'config init',
  summary: 'Write a fleet file, a configuration and the secrets they name; asks for what is not given',
  args: '[folder]',
  examples: [
    'netops config init',
    'netops config init production --environment production --host web1=10.0.0.11 --host web2=10.0.0.12 --tls --auth --yes',
  ],
  options: [
    { flags: '--environment <name>', description: 'what the hosts are: production, staging' },
    { flags: '--host <name=address>', description: 'a host; once for each', repeats: true },
    { flags: '--port <port>', description: 'the TCP port that speaks HTTP' },
    { flags: '--tls', description: 'with TLS: names the certificate and its key, which you put there' },
    { flags: '--auth', description: 'with tokens: makes the key that they are signed with' },
    { flags: '-y, --yes', description: 'ask nothing: what is not given has its default' },
  ],
  async run({ options, args: [given = '.'] }, context) {
    const { filesFor, refuseInvalid } = await import('../../config/new-fleet.ts')
    const fleet = await askFor(parseOptions(schema, options), context)
    const folder = resolve(context.cwd, given)
    const files = filesFor(fleet)
    await refuseTaken(
      folder,
      files.map(({ name }) => name),
    )
    refuseInvalid(files)
    const { mkdir } = await import('node:fs/promises')
    const { writeFileAtomic } = await import('../../system/files.ts')
    await mkdir(folder, { recursive: true })
    if (files.some(({ name }) => name.startsWith('secrets/'))) {
      await mkdir(join(folder, 'secrets'), { recursive: true, mode: 0o700 })
    }
    for (const { name, text, mode } of files) await writeFileAtomic(join(folder, name), text, mode)
    const next = [
      ...(fleet.tls ? [`put the certificate and its key at ${join(given, 'secrets')}/server.crt and server.key`] : []),
      `check them: ${quoteCommand(['netops', 'config', 'validate', join(given, 'netops.yml')])}`,
      'try the hosts: netops inventory check',
      'deploy: netops deploy --dry-run',
    ]
    return {
      outcome: 'done',
      data: { folder, files: files.map(({ name, mode }) => ({ name, mode: mode.toString(8).padStart(4, '0') })), next },
      text: [
        ...files.map(({ name, about }) => `${join(given, name)}: ${about}`),
        'Next:',
        ...next.map((line) => `  ${line}`),
      ].join('\n'),
    }
  },
})

const hostPair = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}=\S+$/, 'expected NAME=ADDRESS, such as web1=10.0.0.11')

const schema = z.object({
  environment: z.string().optional(),
  host: z.array(hostPair).default([]),
  port: z.coerce.number().int().min(1).max(65535).optional(),
  tls: z.boolean().optional(),
  auth: z.boolean().optional(),
  yes: z.boolean().default(false),
})

/** What was not given is asked for, where somebody is there to be asked. */
async function askFor(given: z.infer<typeof schema>, { ask }: CommandContext): Promise<NewFleet> {
  const answer = async (question: string, otherwise: string): Promise<string> => {
    if (given.yes || ask === undefined) return otherwise
    const text = (await ask(`${question}${otherwise === '' ? '' : ` [${otherwise}]`}: `)).trim()
    return text === '' ? otherwise : text
  }
  const yes = async (question: string): Promise<boolean> => /^y(?:es)?$/i.test(await answer(`${question} (y/n)`, 'n'))
  const environment = given.environment ?? (await answer('Environment (production, staging; empty for none)', ''))
  const hosts =
    given.host.length > 0
      ? given.host
      : (await answer('Hosts, NAME=ADDRESS, separated by spaces', 'web1=192.0.2.11')).split(/[\s,]+/).map(pairOf)
  const port = given.port ?? schema.shape.port.parse(await answer('TCP port that speaks HTTP', '8080')) ?? 8080
  return {
    environment: environment === '' ? undefined : environment,
    hosts,
    port,
    tls: given.tls ?? (await yes('TLS')),
    auth: given.auth ?? (await yes('Tokens (JWT)')),
  }
}

function pairOf(text: string): string {
  const parsed = hostPair.safeParse(text)
  if (parsed.success) return parsed.data
  throw new NetopsError('usage', { message: `${showValue(text)}: expected NAME=ADDRESS, such as web1=10.0.0.11` })
}

/** @throws NetopsError `refused` when a file is there already: nothing is written then */
async function refuseTaken(folder: string, names: readonly string[]): Promise<void> {
  const fs = await import('node:fs/promises')
  const looked = await Promise.all(
    names.map((name) =>
      fs.lstat(join(folder, name)).then(
        () => [name],
        () => [],
      ),
    ),
  )
  const taken = looked.flat()
  if (taken.length === 0) return
  throw new NetopsError('refused', {
    message: `${folder} already holds ${taken.join(', ')}`,
    hint: 'name another folder: netops config init FOLDER',
  })
}
