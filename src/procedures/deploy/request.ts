// An activation: one release with one configuration, brought into service on one host. Its request, and the record it leaves.
import * as z from 'zod'
import { requestFields, safeName } from '../host-request.ts'
import { programNeeds } from '../../model/program-needs.ts'
import { releaseTraits } from '../../model/release-traits.ts'
import { sha256Hex } from '../../model/sha256.ts'

const release = z.strictObject({
  /** The folder's name: `1.0.0-3fa94c2b81d0`. */
  id: safeName,
  version: z.string(),
  sha256: sha256Hex,
  size: z.number(),
  /** What its manifest said of it. */
  traits: releaseTraits.exactOptional(),
})

/** What the configuration says about reaching the service on its own host. */
export const endpoints = z.strictObject({
  readyUrl: z.url(),
  healthUrl: z.url(),
  ports: z.array(z.number()),
  /** What it listens on for its clients, as the configuration has it; records of old do not say. */
  listen: z
    .strictObject({ host: z.string(), ports: z.array(z.number()), threads: z.union([z.literal('auto'), z.number()]) })
    .exactOptional(),
})
export type Endpoints = z.infer<typeof endpoints>
export type Listening = NonNullable<Endpoints['listen']>

export const activationRequest = z.strictObject({
  procedure: z.literal('activate'),
  ...requestFields,
  release: release.extend({
    /** Where the pushed executable lies, unless the release is on the host already. */
    from: z.string().exactOptional(),
    /** Whether the executable answers `--check-config`. */
    checksConfig: z.boolean(),
    /** `linux-x64`; undefined where nobody said. */
    platform: z.string().exactOptional(),
    /** What the executable needs of the host; undefined where it was not looked at. */
    needs: programNeeds.exactOptional(),
  }),
  config: z.strictObject({ from: z.string(), sha256: sha256Hex }),
  /** Files that were brought and are to be put in place; those that the host has already are not among them. */
  files: z
    .array(z.strictObject({ from: z.string(), to: z.string(), mode: z.string(), owner: z.string() }))
    .exactOptional(),
  /** What the host must be marked as, or is marked as by this activation. */
  environment: z.string().exactOptional(),
  endpoints,
  reason: z.enum(['deploy', 'rollback']),
  /** For a rollback: the activation that it brings back. */
  restores: safeName.exactOptional(),
  minHealthyMs: z.number(),
  healthyDeadlineMs: z.number(),
  keepReleases: z.number(),
  /** Whether it goes on where the database cannot be asked which data it has. */
  unasked: z.literal(true).exactOptional(),
})
export type ActivationRequest = z.infer<typeof activationRequest>

/** `activation.json` in a host's history. */
export const activationRecord = z.strictObject({
  schema: z.literal('netops/activation/v1'),
  id: safeName,
  /** Its place in the host's history; records of old have none, and came before. */
  sequence: z.int().positive().exactOptional(),
  reason: z.enum(['deploy', 'rollback', 'restore']),
  release,
  configSha256: sha256Hex,
  endpoints,
  checksConfig: z.boolean(),
  /** What a rollback from here goes back to. */
  previous: safeName.exactOptional(),
})
export type ActivationRecord = z.infer<typeof activationRecord>
