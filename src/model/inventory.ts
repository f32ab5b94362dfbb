// The fleet file, netops.yml, as far as this release reads it. Unknown keys are errors.
import { z } from 'zod'
import { duration } from './units.ts'

const hostName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected a name of a-z, 0-9 and -')
const port = z.int().min(1).max(65535)

const ssh = z.strictObject({
  user: z.string().default('root'),
  port: port.default(22),
  /** A private key file. */
  identity: z.string().optional(),
  known_hosts: z.string().default('~/.ssh/known_hosts'),
})

const host = z.strictObject({
  address: z.string(),
  port: port.optional(),
  roles: z.array(z.string()).optional(),
})

/** One command as a list of words, or several such lists. */
const hook = z.union([z.array(z.string()).min(1), z.array(z.array(z.string()).min(1)).min(1)])
const hooked = ['deploy', 'rollback', 'tune', 'tune_revert', 'gc'] as const
const hookNames = hooked.flatMap((name) => [`pre_${name}`, `post_${name}`] as const)

export const inventorySchema = z.strictObject({
  environment: z.string().optional(),
  /** The configuration that a deployment brings to each host; relative to the fleet file. */
  config: z.strictObject({ file: z.string() }).optional(),
  ssh: ssh.prefault({}),
  hosts: z.record(hostName, host).refine((hosts) => Object.keys(hosts).length > 0, 'expected at least one host'),
  deploy: z
    .strictObject({
      min_healthy_time: duration.prefault('10s'),
      healthy_deadline: duration.prefault('2m'),
    })
    .optional(),
  /** The operator's own commands before and after a procedure, run where netops runs. */
  hooks: z.strictObject(Object.fromEntries(hookNames.map((name) => [name, hook.optional()]))).optional(),
})
export type Inventory = z.infer<typeof inventorySchema>
