// What every order for a host says of the place and the run.
import * as z from 'zod'

/** Names that become parts of paths on hosts. */
export const safeName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+@-]{0,199}$/)

/** The fields that all orders share. */
export const orderPlace = {
  run: safeName,
  host: safeName,
  root: z.string(),
  manager: z.enum(['systemd', 'process']),
  /** The netops build on the host that carries this out. */
  netops: z.string(),
}
