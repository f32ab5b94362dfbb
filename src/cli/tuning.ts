// What the commands of `netops tune` take.
import * as z from 'zod'
import { tuningProfiles } from '../model/tuning.ts'
import type { OptionSpec } from './command.ts'
import { dryRunOption, nameList } from './options.ts'
import { timingOptions, timingSchema } from './timing.ts'

/** Which values are wanted. */
export const settingsOptions: readonly OptionSpec[] = [
  {
    flags: '--profile <profile>',
    description: "guide: the guide's values; sized: from the host's memory and cores",
    default: 'guide',
  },
  { flags: '--skip <keys>', description: 'leave these settings as they were, separated by commas' },
  { flags: '--set <key=value...>', description: 'values that win over the profile, such as vm.swappiness=5' },
]
export const settingsSchema = {
  profile: z.enum(tuningProfiles).default('guide'),
  skip: nameList.default([]),
  set: z.array(z.string()).default([]),
}

/** How a run that tunes goes. */
export const tuningRunOptions: readonly OptionSpec[] = [
  {
    flags: '--restart',
    description: 'restart a running service where it needs that to have its new limits and threads',
  },
  ...timingOptions,
  dryRunOption,
]
export const tuningRunSchema = {
  ...timingSchema,
  restart: z.boolean().default(false),
  dryRun: z.boolean().default(false),
}
