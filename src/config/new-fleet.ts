// The files that a new fleet begins with, and writing them where nothing is yet.
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import { writeFileAtomic } from '../system/files.ts'
import { checkFleetFile } from './fleet-file.ts'
import { jsonSchemaText } from './json-schema.ts'
import { formatProblems } from './problems.ts'
import { checkServerConfig } from './server-config.ts'

/** A host as a command takes it. */
export const hostPair = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}=\S+$/, 'expected NAME=ADDRESS, such as web1=10.0.0.11')

export interface NewFleet {
  readonly environment: string | undefined
  /** `web1=10.0.0.11` */
  readonly hosts: readonly string[]
  readonly port: number
  readonly tls: boolean
  readonly auth: boolean
}

export interface NewFile {
  readonly name: string
  readonly text: string
  readonly mode: number
  /** What it is, for people. */
  readonly about: string
}

/** The files of a new fleet. Secrets are made here and stand nowhere else. */
export function newFleetFiles(fleet: NewFleet): readonly NewFile[] {
  const secrets = fleet.tls || fleet.auth
  return [
    { name: 'netops.yml', text: fleetText(fleet), mode: 0o644, about: 'the fleet' },
    { name: 'config.yaml', text: serverText(fleet), mode: 0o644, about: "the server's configuration" },
    { name: 'netops.schema.json', text: jsonSchemaText('fleet'), mode: 0o644, about: 'for editors' },
    { name: 'config.schema.json', text: jsonSchemaText('server'), mode: 0o644, about: 'for editors' },
    ...(secrets ? [{ name: 'secrets/.gitignore', text: '*\n', mode: 0o600, about: 'keeps secrets out of git' }] : []),
    ...(fleet.auth
      ? [
          {
            name: 'secrets/jwt.key',
            // RFC 7518, 3.2: at least as long as the hash. 48 bytes are 64 characters.
            text: `${randomBytes(48).toString('base64url')}\n`,
            mode: 0o600,
            about: 'the key that tokens are signed with, new',
          },
        ]
      : []),
  ]
}

function fleetText({ environment, hosts, tls, auth }: NewFleet): string {
  const file = (from: string, to: string): string =>
    `  - { from: { file: secrets/${from} }, to: /etc/network/${to}, mode: "0600", owner: network_service }`
  const files = [
    ...(tls ? [file('server.crt', 'server.crt'), file('server.key', 'server.key')] : []),
    ...(auth ? [file('jwt.key', 'jwt.key')] : []),
  ]
  return [
    '# yaml-language-server: $schema=netops.schema.json',
    ...(environment === undefined ? [] : [`environment: ${environment}`]),
    'config: { file: config.yaml }',
    ...(files.length === 0 ? [] : ['files:', ...files]),
    'hosts:',
    ...hosts.map((pair) => {
      const at = pair.indexOf('=')
      return `  ${pair.slice(0, at)}: { address: ${JSON.stringify(pair.slice(at + 1))}, roles: [backend] }`
    }),
    '',
  ].join('\n')
}

function serverText({ port, tls, auth }: NewFleet): string {
  return [
    '# yaml-language-server: $schema=config.schema.json',
    '# Every key with its default: netops config show --effective; what each is for: docs/configuration.md',
    'server:',
    `  port: ${port}`,
    ...(tls
      ? [
          'security:',
          '  ssl_enabled: true',
          '  require_tls: true',
          '  cert_file: /etc/network/server.crt',
          '  key_file: /etc/network/server.key',
        ]
      : []),
    ...(auth ? ['auth:', '  enabled: true', '  jwt_secret_file: /etc/network/jwt.key'] : []),
    'logging:',
    '  file: /var/log/network/server.log',
    '',
  ].join('\n')
}

/**
 * Writes the files into a folder.
 * @throws NetopsError `refused` when one of them is there already, `usage` when one would not be valid; nothing is written then
 */
export async function writeNewFleet(folder: string, files: readonly NewFile[]): Promise<void> {
  await refuseTaken(
    folder,
    files.map(({ name }) => name),
  )
  refuseInvalid(files)
  await fs.mkdir(folder, { recursive: true })
  if (files.some(({ name }) => name.startsWith('secrets/'))) {
    await fs.mkdir(join(folder, 'secrets'), { recursive: true, mode: 0o700 })
  }
  for (const { name, text, mode } of files) await writeFileAtomic(join(folder, name), text, mode)
}

async function refuseTaken(folder: string, names: readonly string[]): Promise<void> {
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

/** What was answered ends up in files, and is checked like any other. */
function refuseInvalid(files: readonly NewFile[]): void {
  for (const { name, text } of files) {
    const checked =
      name === 'netops.yml'
        ? checkFleetFile(text, name)
        : name === 'config.yaml'
          ? checkServerConfig(text, name)
          : undefined
    if (checked !== undefined && 'problems' in checked) {
      throw new NetopsError('usage', { message: formatProblems(checked.problems) })
    }
  }
}
