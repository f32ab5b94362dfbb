// What a build made: `manifest.json` beside the executables, which a deployment checks them against.
import * as z from 'zod'
import { releaseTraits } from './release-traits.ts'
import { sha256Hex } from './sha256.ts'

/** The executables that a checkout builds. */
export const executableNames = ['network_server', 'netops'] as const
export type ExecutableName = (typeof executableNames)[number]

// Source: the pattern that semver.org, version 2.0.0, suggests.
const semverPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/

/** A semantic version: `1.2.3`, `2.0.0-rc.1`. */
export const semver = z
  .string()
  .max(128)
  .regex(semverPattern, 'expected a semantic version such as 1.2.3 or 2.0.0-rc.1')

const builtExecutable = z.object({
  name: z.enum(executableNames),
  version: semver,
  /** The full commit hash, with `-dirty` after it when tracked files differed; `unknown` outside a git checkout. */
  commit: z.string().min(1),
  /** Node's names: `linux-x64`. */
  platform: z.string().regex(/^[a-z0-9]+-[a-z0-9]+$/),
  /** The version of the Node inside. */
  node: semver,
  /** In bytes. */
  size: z.int().positive(),
  sha256: sha256Hex,
  /** What network_server says of itself; those of old say nothing. */
  traits: releaseTraits.exactOptional(),
})
export type BuiltExecutable = Readonly<z.infer<typeof builtExecutable>>

export const manifestSchema = 'netops/build/v1'

/** `manifest.json`. Later versions may add fields: unknown ones are let pass. */
export const buildManifest = z.object({
  schema: z.literal(manifestSchema),
  executables: z.array(builtExecutable),
})
export type BuildManifest = Readonly<z.infer<typeof buildManifest>>
