// What a release of network_server says of itself in the manifest, for those that deploy it or go back to it.
import * as z from 'zod'
import { dataSchema } from './data-schema.ts'

const version = z.int().min(1).max(1_000_000)

/** Which schemas of stored data a release reads, and which one it writes. */
const dataSchemas = z.strictObject({
  reads: z.strictObject({ from: version, to: version }),
  writes: version,
})
export type DataSchemas = Readonly<z.infer<typeof dataSchemas>>

/** What is taken for granted of a release of ours whose manifest says nothing of it: that was the first schema's time. */
export const firstDataSchemas: DataSchemas = { reads: { from: 1, to: 1 }, writes: 1 }

/** Later releases may say more: what is not known is let pass. */
export const releaseTraits = z.object({
  data: dataSchemas.exactOptional(),
  /** It takes listening sockets that were passed to it, as sd_listen_fds(3) says. */
  sockets: z.boolean().exactOptional(),
  /** It says which data schema its database server has: `network_server data-schema`. */
  tellsSchema: z.boolean().exactOptional(),
})
export type ReleaseTraits = Readonly<z.infer<typeof releaseTraits>>

/** Of the release that this source becomes; a build reads it. */
export const ownTraits: ReleaseTraits = { data: dataSchema, sockets: true, tellsSchema: true }
