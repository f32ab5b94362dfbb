// netops tune scale: the configuration for a server of a given size (guide: Vertical Scaling).
import * as z from 'zod'
import { scaleFor, type HostSize } from '../../model/scale.ts'
import { size } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'

const leastMemory = 64 * 2 ** 20 // less does not hold a server and its system

const schema = z.object({
  cpus: z
    .string('expected how many cores, such as 16')
    .regex(/^[1-9]\d{0,4}$/, 'expected a whole number of at least 1')
    .transform(Number),
  memory: z
    .string('expected how much memory, such as 32GiB')
    .pipe(size.refine((bytes) => bytes >= leastMemory, 'expected at least 64MiB'))
    .transform(Number),
})

export const tuneScale = defineCommand({
  name: 'tune scale',
  summary: "Print the server's configuration for a size, each value with its reason",
  examples: ['netops tune scale --cpus 16 --memory 32GiB', 'netops tune scale --cpus 2 --memory 2GiB --json'],
  options: [
    { flags: '--cpus <n>', description: 'cores of the machine' },
    { flags: '--memory <size>', description: 'memory of the machine, such as 32GiB' },
  ],
  run({ options }) {
    const { cpus, memory } = parseOptions(schema, options)
    const given: HostSize = { cores: cpus, memoryBytes: memory }
    const { workerThreads, maxConnections, connectionPoolSize, bufferSize } = scaleFor(given)
    return Promise.resolve({
      outcome: 'done',
      data: {
        server: { worker_threads: workerThreads, max_connections: maxConnections },
        performance: { connection_pool_size: connectionPoolSize, buffer_size: bufferSize },
      },
      text: renderScale(given),
    })
  },
})

/** The guide's scale-up block for a size. */
function renderScale(given: HostSize): string {
  const { workerThreads, maxConnections, connectionPoolSize, bufferSize } = scaleFor(given)
  const line = (key: string, { value, reason }: { value: number; reason: string }) => [
    `  # ${reason}`,
    `  ${key}: ${value}`,
  ]
  return [
    `# For ${given.cores} cores and ${Math.round(given.memoryBytes / 2 ** 20)} MiB of memory (netops tune scale).`,
    'server:',
    ...line('worker_threads', workerThreads),
    ...line('max_connections', maxConnections),
    '',
    'performance:',
    ...line('connection_pool_size', connectionPoolSize),
    ...line('buffer_size', bufferSize),
  ].join('\n')
}
