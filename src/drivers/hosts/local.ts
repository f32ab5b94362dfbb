// This machine as a host.
import { exec } from '../../system/exec.ts'
import type { HostConnection } from './port.ts'

export function connectLocal(name: string): HostConnection {
  return {
    name,
    run: (argv, options = {}) => exec(argv, options),
    close: () => Promise.resolve(),
  }
}
