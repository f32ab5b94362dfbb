// Where text leaves for standard output and standard error: nothing else writes there but lines of hosts and a live view.
import { rendered, type Line } from '../painted.ts'

/** Writes to a stream what is safe to show there. */
export const printerTo =
  (stream: { readonly write: (text: string) => unknown }) =>
  (line: Line): void =>
    void stream.write(rendered(line))
