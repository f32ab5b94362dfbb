// The fleet file, netops.yml: every key with its type, default and meaning. Unknown keys are errors.
import * as z from 'zod'
import { backupSection } from './backup-config.ts'
import { argv, fileSource } from './file-source.ts'
import { hopSource, userName } from './login-names.ts'
import { absolutePath } from './path-values.ts'
import { expects, key } from './schema-notes.ts'
import { host as hostAddress, meantHost, port, serverSections } from './server-config.ts'
import { duration } from './units.ts'

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected a name of a-z, 0-9 and -')
const names = z.array(name).readonly()
const word = z.string().min(1)

const userWords = 'the name of an account, without what a shell would read'
const user = expects(
  z.string().min(1, 'expected text with at least 1 character').regex(userName, `expected ${userWords}`),
  userWords,
)

const way = '[user@]host[:port], several separated by commas, or none'
const jump = expects(
  z.string().regex(new RegExp(`^(?:none|${hopSource}(?:,${hopSource})*)$`, 'u'), `expected ${way}`),
  way,
)

/** As it might be written for `ssh`: whom, and at which port. */
const meantAddress = (given: string): string | undefined => {
  const [, account = '', place = given] = /^([^@]+)@(.*)$/s.exec(given) ?? []
  if (account === '') return meantHost(given)
  const meant = hostAddress.safeParse(place).success ? place : meantHost(place)
  return meant === undefined || !userName.test(account) ? undefined : `${meant}, with ssh: { user: ${account} }`
}
const address = expects(hostAddress, 'a host name or an IP address', meantAddress)

const sshKeys = {
  user: key(user.optional(), 'Who to log in as; unless said, whom ssh_config names, else root.'),
  port: key(port.optional(), "sshd's TCP port; unless said, that of ssh_config, else 22."),
  identity: key(word.optional(), 'A private key file, tried before the keys of the agent and of ssh_config.'),
  known_hosts: key(word.optional(), 'The file of known host keys; unless said, those of ssh_config.'),
  jump: key(jump.optional(), 'The hosts to go through, in order; unless said, ProxyJump of ssh_config.'),
  connect_timeout: key(
    expects(duration, 'a duration such as 15s').optional(),
    'How long a connection may take; unless said, ConnectTimeout of ssh_config, else 15s.',
  ),
  become: key(z.enum(['sudo', 'none']).optional(), 'How to become root on the host where the user is not.'),
  become_password: key(fileSource.optional(), 'Where the password that sudo asks for comes from.', { secret: true }),
}

const ssh = z.strictObject(sshKeys).readonly()

/** Values of the server's configuration that take the place of the file's. */
const overrides = z
  .strictObject(serverSections)
  .partial()
  .meta({ id: 'server-config', description: "Values of network_server's configuration, in the shape of its file." })

const hostKeys = z.strictObject({
  address: key(address, 'Its host name or IP address, as this machine reaches it.'),
  port: key(port.optional(), "sshd's TCP port, where it is another than that of ssh.port."),
  roles: key(names.optional(), 'What it is there for: backend, balancer, database.'),
  tags: key(names.optional(), 'Words to choose hosts by.'),
  ssh: key(ssh.optional(), 'How to log in, where it differs from the fleet.'),
  config: key(overrides.optional(), "What differs from the fleet's configuration on this host."),
})
const host = hostKeys.readonly()

const groupKeys = z.strictObject({
  hosts: key(names.optional(), 'Its hosts.'),
  tags: key(names.optional(), 'Words that all its hosts have.'),
  ssh: key(ssh.optional(), 'How to log in to its hosts, where it differs from the fleet.'),
  config: key(overrides.optional(), "What differs from the fleet's configuration on its hosts."),
})
const group = groupKeys.readonly()

const hosts = z.record(name, host)
const groups = z.record(name, group)

const modeWords = 'a mode in quotes, such as "0600"'
const mode = expects(z.string().regex(/^0?[0-7]{3}$/, `expected ${modeWords}`), modeWords)
const ownerWords = 'an account, or account:group'
const owner = expects(
  z.string().regex(/^[a-z_][a-z0-9_-]{0,31}(?::[a-z_][a-z0-9_-]{0,31})?$/, `expected ${ownerWords}`),
  ownerWords,
)
const placedFile = z
  .strictObject({
    from: key(fileSource, 'Where the content comes from. It is read when it is brought, and never shown.', {
      secret: true,
    }),
    to: key(absolutePath, 'Where it lies on the hosts.'),
    mode: key(mode.default('0600'), 'Its permissions.'),
    owner: key(owner.default('network_service'), 'Whom it belongs to.'),
    hosts: key(names.optional(), 'Only on these hosts, or hosts of these groups.'),
  })
  .readonly()

/** One command as a list of words, or several such lists. */
const hook = expects(
  z.union([z.array(word).min(1), z.array(z.array(word).min(1)).min(1)]),
  'a command as a list of words, or a list of such commands',
)
const hooked = [
  'deploy',
  'rollback',
  'tune',
  'tune_revert',
  'gc',
  'backup',
  'backup_verify',
  'backup_expire',
  'restore',
  'backup_copy',
] as const
const hookNames = hooked.flatMap((procedure) => [`pre_${procedure}`, `post_${procedure}`] as const)
const hookAbout = (hookName: string): string =>
  hookName.startsWith('pre_')
    ? 'Run here before the procedure; a failure ends it before anything is done.'
    : 'Run here after the procedure; a failure is told, with exit code 3.'

export const inventorySchema = z.strictObject({
  $schema: key(z.string().optional(), 'Where an editor finds the description of this file.'),
  environment: key(
    name.optional(),
    'What these hosts are: production, staging. It must be what each host is marked as; in production, destructive commands ask for it.',
  ),
  config: key(
    z.strictObject({ file: key(word, 'Relative to the fleet file.') }).optional(),
    'The configuration that a deployment brings to each host.',
  ),
  files: key(
    z.array(placedFile).readonly().optional(),
    'Certificates, keys and secrets that a deployment brings to each host.',
  ),
  ssh: key(ssh.optional(), 'How to log in to the hosts.'),
  hosts: key(hosts.optional(), 'The hosts by name.'),
  hosts_from: key(
    z
      .strictObject({
        command: key(argv, 'Prints {"hosts": {...}, "groups": {...}} in the shape of this file, as JSON.'),
        timeout: key(expects(duration, 'a duration such as 30s').prefault('30s'), 'How long it may take.'),
      })
      .optional(),
    'A command that says which hosts there are, beside those of this file.',
  ),
  groups: key(groups.optional(), 'Hosts that have something in common; of two groups the later one wins.'),
  deploy: key(
    z
      .strictObject({
        min_healthy_time: key(duration.prefault('10s'), 'How long the service must be healthy to count as such.'),
        healthy_deadline: key(duration.prefault('2m'), 'When it must be healthy at the latest.'),
      })
      .optional(),
    'When a deployment counts as successful.',
  ),
  backup: key(backupSection.optional(), 'What is backed up on each host, where to, and how long it is kept.'),
  hooks: key(
    z.strictObject(Object.fromEntries(hookNames.map((id) => [id, key(hook.optional(), hookAbout(id))]))).optional(),
    "The operator's own commands before and after a procedure, run where netops runs.",
  ),
})
export type Inventory = z.infer<typeof inventorySchema>

// What a command says comes from wherever it asked: it may name what is plain data. What runs something, or names a file or a
// variable of this machine, is for the operator's own file; so is a new key, until it is named here.
const saidSsh = z
  .strictObject(sshKeys)
  .pick({ user: true, port: true, jump: true, connect_timeout: true, become: true })
  .readonly()
const saidHost = hostKeys
  .pick({ address: true, port: true, roles: true, tags: true, config: true })
  .extend({ ssh: saidSsh.optional() })
  .readonly()
const saidGroup = groupKeys
  .pick({ hosts: true, tags: true, config: true })
  .extend({ ssh: saidSsh.optional() })
  .readonly()

/** What a command of `hosts_from` prints. */
export const dynamicInventorySchema = z.strictObject({
  hosts: z.record(name, saidHost).optional(),
  groups: z.record(name, saidGroup).optional(),
})

/** Environments in which destructive commands ask for the environment's name. */
export const isProtected = (environment: string | undefined): boolean =>
  environment === 'production' || environment === 'prod'
