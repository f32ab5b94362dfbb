// netops restore: bring files and state of hosts back to what a backup holds, or unpack it elsewhere.
import { resolve } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { timingOptions, timingSchema } from '../timing.ts'

export const restore = defineCommand({
  name: 'restore',
  summary: 'Bring configuration and state back to what a backup holds; put back what was there if that is not healthy',
  args: '[which]',
  examples: [
    'netops restore --dry-run',
    'netops restore config_20261127_020000 --hosts web1',
    'netops restore 2026-11-26T12:00:00Z --only config',
    'netops restore latest --only /etc/network_system/config.yaml --yes',
    'netops restore latest --to /tmp/look --hosts web1',
    'netops restore --root / --from /mnt/backups',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    {
      flags: '--only <what>',
      description: 'config, state or an absolute path of the host; may be repeated',
      repeats: true,
    },
    { flags: '--to <dir>', description: 'only unpack it there, into a folder that is empty or not there yet' },
    {
      flags: '--from <folder>',
      description: "archives of this folder of the host, in the place of the host's catalogue",
    },
    ...timingOptions,
    dryRunOption,
    { flags: '-y, --yes', description: 'do not ask before anything is replaced' },
    confirmOption,
  ],
  events: true,
  async run({ options, args: [which = 'latest'] }, context) {
    const { only, to, dryRun, yes, confirm, ...parsed } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { lookAtBackups, unpackBackups } = await import('../../fleet/restore.ts')
    const { startFleetRun } = await import('../../fleet/start-run.ts')
    const { restore: procedure } = await import('../../procedures/restore/fleet-procedure.ts')
    const { timingOf } = await import('../../procedures/deploy/timing.ts')
    const { fleetRunResult } = await import('../present/run-result.ts')
    const { lookLines, shownRestore, unpackedResult } = await import('../present/restore-text.ts')
    const { confirmReplacing } = await import('../terminal/confirm.ts')
    const fleet = await readFleet(parsed, context)
    const isHere = fleet.targets.every(({ kind }) => kind === 'local')
    const from = located('from', parsed.from, isHere ? context.cwd : undefined)
    const meant = { which, from, only }
    const into = located('to', to, isHere ? context.cwd : undefined)
    if (into !== undefined && dryRun) return shownUnpacking({ which, into })
    if (into !== undefined) return unpackedResult(await unpackBackups(fleet, { ...meant, to: into }, context))
    const answers = await lookAtBackups(fleet, meant, context)
    const failed = answers.find(({ error }) => error !== undefined)
    if (failed?.error !== undefined) throw failed.error
    const looks = new Map(answers.flatMap(({ host, value }) => (value === undefined ? [] : [[host, value] as const])))
    const lines = [...looks].flatMap(([host, { look }]) => lookLines(host, look))
    const confirming = async (): Promise<void> => {
      for (const line of lines) context.progress(line)
      await confirmReplacing({ destroys: 'replaces files and state on', confirmed: confirm, yes }, fleet, context)
    }
    const end = await startFleetRun(
      procedure,
      { looks, only, from, timing: timingOf(parsed, fleet) },
      { fleet, options: { dryRun, confirm: confirming } },
      context,
    )
    const result = fleetRunResult(end)
    return dryRun ? shownRestore(result, looks, lines) : result
  },
})

/** A folder of the host; a relative one where that is this machine. */
function located(name: string, path: string | undefined, cwd: string | undefined): string | undefined {
  if (path === undefined) return undefined
  if (cwd !== undefined) return resolve(cwd, path)
  if (path.startsWith('/')) return resolve('/', path)
  throw new NetopsError('usage', { message: `--${name} ${path}: expected an absolute path: it is one of the host's` })
}

const shownUnpacking = ({ which, into }: { readonly which: string; readonly into: string }) => ({
  outcome: 'done' as const,
  data: { dryRun: true, which, to: into },
  text: `would unpack ${which} into ${into}, and touch nothing else\n\nDry run: nothing was changed.`,
})

const schema = fleetSchema.extend({
  ...timingSchema,
  only: z.array(z.string()).default([]),
  to: z.string().min(1).optional(),
  from: z.string().min(1).optional(),
  dryRun: z.boolean().default(false),
  yes: z.boolean().default(false),
  confirm: z.string().optional(),
})
