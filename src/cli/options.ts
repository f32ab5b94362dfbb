// Options that several commands share, and the one way from commander's words to typed values.
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import type { OptionSpec, RawOptions } from './command.ts'

export const dryRunOption: OptionSpec = {
  flags: '-n, --dry-run',
  description: 'print the exact commands and change nothing',
}
export const dataCheckOption: OptionSpec = {
  flags: '--without-data-check',
  description: 'go on where PostgreSQL cannot be asked whether the release reads the data there',
}
export const rootOption: OptionSpec = {
  flags: '--root <dir>',
  description: 'work on this machine below DIR, with process supervision instead of systemd; needs no root',
}
/** Which fleet file is meant. */
export const inventoryOptions: readonly OptionSpec[] = [
  { flags: '--inventory <file>', description: 'the fleet file (default: $NETOPS_INVENTORY, then netops.yml)' },
  { flags: '-e, --environment <name>', description: 'the fleet file netops.NAME.yml; another one must be for it' },
]
export const fleetOptions: readonly OptionSpec[] = [
  ...inventoryOptions,
  { flags: '--hosts <names>', description: 'only these hosts of the fleet, separated by commas' },
  { flags: '--group <names>', description: 'only hosts of these groups' },
  { flags: '--limit <patterns>', description: "only hosts that fit, by name or group: 'web*', 'edge,!web3'" },
  { flags: '--tag <names>', description: 'only hosts with one of these tags' },
  {
    flags: '--accept-new-host-key',
    description:
      'write down the key of a host that is not in known_hosts, instead of refusing it; a changed one is always refused',
  },
]

/**
 * Parses a command's options once.
 * @throws NetopsError `usage` naming each option that does not fit
 */
export function parseOptions<T extends z.ZodType>(schema: T, options: RawOptions): z.infer<T> {
  // Once: making a function of the schema first would take longer.
  const parsed = schema.safeParse(options, { jitless: true })
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `--${kebab(issue.path.join('.'))}: ${issue.message}`)
  throw new NetopsError('usage', { message: problems.join('\n'), hint: 'see --help for what each option takes' })
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `web1,web2` to names. */
export const nameList = z.string().transform((text) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== ''),
)

/** The options by which hosts are chosen. */
export const fleetSchema = z.object({
  root: z.string().optional(),
  inventory: z.string().optional(),
  environment: z.string().optional(),
  hosts: nameList.optional(),
  group: nameList.optional(),
  tag: nameList.optional(),
  limit: nameList.optional(),
})
