// `netops build`: this checkout as single executables for this platform, with a manifest.
import { isSea } from 'node:sea'
import { resolve } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { executableNames, semver } from '../../model/manifest.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, parseOptions } from '../options.ts'

const buildOptions = z.object({
  out: z.string().min(1).default('build'),
  setVersion: semver.optional(),
  dryRun: z.boolean().default(false),
})

export const build = defineCommand({
  name: 'build',
  summary: 'Make the executables network_server and netops from this checkout',
  args: '[name...]',
  examples: [
    'netops build',
    'netops build network_server --set-version 1.1.0 --out build/1.1.0',
    'netops build --json',
  ],
  options: [
    { flags: '--out <dir>', description: 'the folder for the executables and manifest.json', default: 'build' },
    { flags: '--set-version <version>', description: "build as this version (default: package.json's)" },
    dryRunOption,
  ],
  async run({ options, args }, context) {
    const { out, setVersion, dryRun } = parseOptions(buildOptions, options)
    const names = parseNames(args)
    if (isSea()) {
      throw new NetopsError('refused', {
        message: 'this netops is a built executable: it has no sources to build from',
        hint: 'run bin/netops build in a checkout of the project',
      })
    }
    const { describePlan, planBuild, runBuild } = await import('../../build/build.ts')
    const { ownCheckout } = await import('../../build/checkout.ts')
    const folder = resolve(context.cwd, out)
    const plan = await planBuild({ checkout: ownCheckout, names, out: folder, version: setVersion })
    if (dryRun) {
      const effects = describePlan(plan)
      return { outcome: 'done', data: { dryRun: true, effects }, text: effects.join('\n') }
    }
    const begun = performance.now()
    const report = await runBuild(plan, context)
    const lines = report.executables.map(
      ({ name, version, size, sha256 }) =>
        `${name} ${version}  ${formatBytes(size)}  sha256 ${sha256.slice(0, 12)}  ${resolve(folder, name)}`,
    )
    return {
      outcome: 'done',
      data: { out: folder, ...report },
      text: [...lines, `manifest: ${report.manifest}  (${formatDuration(performance.now() - begun)})`].join('\n'),
    }
  },
})

const parseNames = (args: readonly string[]) => {
  const chosen = executableNames.filter((name) => args.length === 0 || args.includes(name))
  const unknown = args.find((arg) => !executableNames.some((name) => name === arg))
  if (unknown === undefined) return chosen
  throw new NetopsError('usage', {
    message: `there is no executable called ${unknown}`,
    hint: `the executables are ${executableNames.join(' and ')}`,
  })
}
