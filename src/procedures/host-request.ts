// What every request for a host run says of the place and the run. It is written down on the host before anything is done.
import * as z from 'zod'
import { planDigest } from '../model/plan-digest.ts'

/** Names that become parts of paths on hosts. */
export const safeName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+@-]{0,199}$/)

/** The fields that all requests share, beside `procedure`. */
export const requestFields = {
  run: safeName,
  host: safeName,
  root: z.string(),
  manager: z.enum(['systemd', 'process']),
  /** The netops build on the host that carries this out. */
  netops: z.string(),
  /** The fleet run that it is part of; a run that was started on the host itself has none. */
  fleet: safeName.exactOptional(),
  /** The plan that an operator was shown: the host refuses to carry out another one. */
  shown: planDigest.exactOptional(),
}

/** A request as far as those need it who do not know its procedure. */
export type HostRequest = { readonly procedure: string } & z.infer<z.ZodObject<typeof requestFields>>

/** Where and for which run a host is asked for something. */
export type HostPlace = Omit<HostRequest, 'procedure' | 'shown'>
