// How to reach one host; plain data, kept in a run's journal so that a resume reaches the same.
import * as z from 'zod'
import { fileSource } from './file-source.ts'

export const target = z.discriminatedUnion('kind', [
  /** This machine, as the host of a root folder. */
  z.strictObject({ kind: z.literal('local'), name: z.string(), root: z.string() }),
  z.strictObject({
    kind: z.literal('ssh'),
    name: z.string(),
    root: z.literal('/'),
    address: z.string(),
    // What is not there is for ssh_config to say.
    port: z.number().exactOptional(),
    user: z.string().exactOptional(),
    identity: z.string().exactOptional(),
    knownHosts: z.string().exactOptional(),
    jump: z.string().exactOptional(),
    connectTimeoutMs: z.number().exactOptional(),
    become: z.literal('sudo').exactOptional(),
    becomePassword: z.strictObject({ source: fileSource, folder: z.string() }).exactOptional(),
  }),
])
export type Target = z.infer<typeof target>
export type SshTargetData = Extract<Target, { kind: 'ssh' }>
