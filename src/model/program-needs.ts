// What an executable needs of the host that is to run it.
import * as z from 'zod'

export const programNeeds = z.strictObject({
  /** As `uname -m` names it; a script has none. */
  machine: z.string().exactOptional(),
  /** The dynamic loader of a program, or what a script says after `#!`. */
  interpreter: z.string().exactOptional(),
  /** What `/usr/bin/env` is to look up for a script. */
  command: z.string().exactOptional(),
  /** Libraries by their names, where nothing but the host's own folders says where they are. */
  libraries: z.array(z.string()).readonly().exactOptional(),
  /** The newest version of glibc that it asks for: `2.34`. */
  glibc: z.string().exactOptional(),
})
export type ProgramNeeds = z.infer<typeof programNeeds>

/** Machines whose programs a kernel runs beside its own, by names as kernels give them. */
const alsoRuns: Readonly<Record<string, RegExp>> = {
  i386: /^(x86_64|i.86)$/,
  arm: /^(aarch64|armv\d.*)$/,
}

/** Whether a host's kernel may run programs of a machine; of 32-bit programs their loader's presence tells more. */
export const runsOn = (machine: string, host: string): boolean =>
  machine === host || alsoRuns[machine]?.test(host) === true
