// What restoring databases came to, for people: how far each was replayed, and how it is reached.
import * as z from 'zod'

const restored = z.object({
  host: z.string(),
  results: z.object({
    restore: z.object({
      into: z.string(),
      port: z.number(),
      segments: z.number(),
      state: z.enum(['promoted', 'paused']),
      lastTransactionAt: z.string().nullable(),
      stoppedBefore: z.string().nullable(),
      seconds: z.number(),
    }),
  }),
})

/** @param data of the result of a run; hosts without such a result are passed over */
export function restoredLines({ hosts }: Readonly<Record<string, unknown>>): readonly string[] {
  if (!Array.isArray(hosts)) return []
  return hosts.flatMap((one) => {
    const { data } = restored.safeParse(one)
    if (data === undefined) return []
    const { into, port, segments, state, lastTransactionAt, stoppedBefore, seconds } = data.results.restore
    const last = lastTransactionAt === null ? '' : `; its last transaction was committed at ${lastTransactionAt}`
    const next = stoppedBefore === null ? '' : `; the next one, at ${stoppedBefore}, is not in it`
    const now =
      state === 'promoted'
        ? 'it takes writes'
        : `it waits there, read-only; have it go on: psql -p ${port} -c 'SELECT pg_wal_replay_resume()'`
    return [
      `${data.host}: ${into} answers on 127.0.0.1:${port} after ${seconds} s, with ${segments} segments of the log replayed${last}${next}`,
      `${data.host}: ${now}`,
    ]
  })
}
