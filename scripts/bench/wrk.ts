// Load by wrk, on one processor, and what it says of it.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../../src/system/exec.ts'

export interface Load {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers other than 2xx and 3xx, and connections that broke. */
  readonly failed: number
}

export interface LoadWish {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  readonly headers: Readonly<Record<string, string>>
  /** A script that says what is asked (wrk's SCRIPTING document); without one, a GET of the address. */
  readonly script?: string | undefined
  readonly signal: AbortSignal
}

/**
 * Asks as fast as answers come.
 * @throws where wrk is not there or says nothing that can be read
 */
export async function wrk({ url, seconds, connections, headers, script, signal }: LoadWish): Promise<Load> {
  const argv = [
    ...['wrk', '--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--latency'],
    ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    ...(script === undefined ? [] : ['--script', script]),
    url,
  ]
  const { code, stdout, stderr } = await exec(argv, { signal, timeoutMs: (seconds + 60) * 1000 })
  const perSecond = Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(stdout)?.[1])
  if (code !== 0 || !Number.isFinite(perSecond)) throw new Error(`wrk (Debian: wrk) failed: ${stdout}${stderr}`)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0)
  return {
    perSecond,
    p50Ms: quantile(stdout, '50'),
    p99Ms: quantile(stdout, '99'),
    failed: refused + errors.reduce((sum, count) => sum + Number(count), 0),
  }
}

const unitMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 }

function quantile(text: string, share: string): number {
  const [, number = '', unit = ''] = new RegExp(`^\\s+${share}%\\s+([\\d.]+)(us|ms|s)$`, 'm').exec(text) ?? []
  return Number(number) * (unitMs[unit] ?? Number.NaN)
}

/**
 * A script that writes one record after the other: each of wrk's requests another one of so many keys.
 * @returns its path
 */
export async function writingScript(folder: string, keys: number, body: string): Promise<string> {
  const file = join(folder, 'put.lua')
  await writeFile(
    file,
    `local n = 0
request = function()
  n = (n + 1) % ${keys}
  return wrk.format('PUT', '/v1/records/bench/k' .. n, { ['Content-Type'] = 'application/json', ['Authorization'] = wrk.headers['Authorization'] }, '${body}')
end
`,
  )
  return file
}
