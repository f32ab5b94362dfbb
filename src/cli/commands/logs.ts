// netops logs: the service's log from every chosen host, merged.
import * as z from 'zod'
import { joinOutcomes, NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import type { LogView } from '../present/log-output.ts'

const defaultLines = { plain: 100, searched: 10_000 }
const mostLines = 100_000

const schema = fleetSchema.extend({
  follow: z.boolean().default(false),
  lines: z.coerce.number<string>().int().min(0).max(mostLines).optional(),
  since: z.string().optional(),
  grep: z.string().min(1, 'expected a text').optional(),
  raw: z.boolean().default(false),
})

export const logs = defineCommand({
  name: 'logs',
  summary:
    "Show the service's log of every chosen host, merged by time. It is read from the journal (journalctl -u " +
    'network_service), below a root from var/log/network/service.out; where the configuration in place sends nothing ' +
    'to the console, from its log file',
  examples: [
    'netops logs',
    'netops logs -f --group edge  # until Ctrl-C, exit 130',
    'netops logs --since 10m --grep ERROR',
    "netops logs --since 2026-11-23T10:00 --json | jq -r '.lines[].line'",
  ],
  options: [
    ...fleetOptions,
    { ...rootOption, description: 'the log of the service below DIR on this machine' },
    { flags: '-f, --follow', description: 'go on as lines come; a lost connection is made again' },
    {
      flags: '-n, --lines <lines>',
      description: `so many of the newest lines of each host (default: ${defaultLines.plain}; of ${defaultLines.searched} with --since or --grep)`,
    },
    { flags: '--since <time>', description: 'only lines since then: 10m, 2h, 2026-11-23T10:00 (here), ...Z' },
    { flags: '--grep <text>', description: 'of these only lines that hold this text' },
    { flags: '--raw', description: 'the lines as the service wrote them' },
  ],
  streams: true,
  endsUnread: true,
  async run({ options }, context) {
    const { follow, lines: wanted, since: from, grep, raw, ...chosen } = parseOptions(schema, options)
    if (follow && context.json) {
      throw new NetopsError('usage', {
        message: 'a log that is followed has no end, so it makes no document',
        hint: 'leave out -f, or take --raw instead of --json',
      })
    }
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { parseSince } = await import('../../procedures/logs/since.ts')
    const { followLogs, showLogs } = await import('../present/log-output.ts')
    const since = from === undefined ? undefined : parseSince(from, new Date())
    const searched = since !== undefined || grep !== undefined
    const lines = wanted ?? (searched ? defaultLines.searched : defaultLines.plain)
    const { targets } = await readFleet(chosen, context)
    const view: LogView = { targets, raw, query: { excerpt: { lines, since, follow }, grep } }
    const { errors, data } = follow ? await followLogs(view, context) : await showLogs(view, context)
    const outcomes = errors.map((error) => ({ outcome: error?.code ?? ('done' as const), changed: false }))
    return { outcome: context.signal.aborted ? 'interrupted' : joinOutcomes(outcomes), data, text: '' }
  },
})
