// What connections take: the most memory that one netops held with 10, 100 and 500 of them open at once.
import type { Bench } from './fanout-bench.ts'
import { table } from './figures.ts'
import { watch } from './peak.ts'

// Long enough for all connections to be open at the same time.
const seconds = 3
const runs = [
  { hosts: 10, atOnce: 500, seconds },
  { hosts: 100, atOnce: 500, seconds },
  { hosts: 500, atOnce: 500, seconds },
  { hosts: 500, atOnce: 50, seconds: 1 },
]

export async function measureMemory(bench: Bench) {
  const results = []
  for (const run of runs) {
    const megabytes = await peakOf(bench, run)
    results.push({ ...run, megabytes })
    bench.tell(`sleep on ${run.hosts} hosts, ${run.atOnce} at once: ${megabytes.toFixed(0)} MB`)
  }
  const [base] = results
  const rows = results.map(({ hosts, atOnce, megabytes }) => {
    const connections = Math.min(hosts, atOnce)
    const more = connections - (base?.hosts ?? 0)
    // In waves the peak is also made of what earlier ones have left behind.
    const each = more > 0 && connections === hosts ? (megabytes - (base?.megabytes ?? 0)) / more : undefined
    return { hosts, atOnce, connections, megabytes, perConnection: each }
  })
  const text = table(
    ['`netops exec -- sleep`', '`--at-once`', 'peak memory, MB', 'MB for each connection more'],
    rows.map(({ hosts, atOnce, megabytes, perConnection }) => [
      ...[`${hosts} hosts`, `${atOnce}`, megabytes.toFixed(0)],
      perConnection?.toFixed(2) ?? '',
    ]),
  )
  return { data: { unit: 'MB', rows }, text }
}

async function peakOf({ hosts, netops, env, signal }: Bench, run: (typeof runs)[number]): Promise<number> {
  const { inventory } = await hosts.take(run.hosts)
  const words = ['exec', '--inventory', inventory, '--at-once', `${run.atOnce}`, '--', 'sleep', `${run.seconds}`]
  return (await watch([netops, ...words], { env, signal })).megabytes
}
