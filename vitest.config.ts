import { basename } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { defineConfig } from 'vitest/config'

// Files that take minutes, the longest first: one that began last would run alone while the other workers have nothing left.
const longest = [
  'many',
  'deploy-kill',
  'deploy',
  'tune',
  'tune-kill',
  'interrupts',
  'frozen',
  'locks',
  'old-runs',
  'config',
  'build',
  'preflight',
  'environment',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.indexOf(basename(moduleId, '.test.ts'))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

const labTier = {
  globalSetup: ['test/support/build-once.ts'],
  testTimeout: 300_000,
  hookTimeout: 600_000,
}
// What a lab leaves on the machine can only be told while nobody else brings up or takes down another.
const aloneInLab = 'test/lab/lab.test.ts'

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // Unit tests leave nothing behind in their process: sharing it saves loading every module for each file.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: process.env.NETOPS_ENDURANCE === '1' ? 600_000 : 30_000,
          isolate: false,
        },
      },
      // Each file in a process of its own: what it takes of memory is its own too.
      {
        test: {
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          setupFiles: ['test/support/fuzz-setup.ts'],
          pool: 'forks',
          testTimeout: process.env.NETOPS_FUZZ_RUNS === undefined ? 60_000 : 3_600_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/build-once.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          ...labTier,
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: [aloneInLab],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...labTier,
          name: 'lab-alone',
          include: [aloneInLab],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
