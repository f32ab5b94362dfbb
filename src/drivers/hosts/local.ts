// This machine as a host.
import { connect } from 'node:net'
import { NetopsError } from '../../model/errors.ts'
import { exec } from '../../system/exec.ts'
import { usualAnswer, type HostConnection } from './port.ts'

export function connectLocal(name: string): HostConnection {
  return {
    name,
    // What may be stopped ends with all that it has started, as it does over SSH.
    run: (argv, options = {}) => exec(argv, { most: usualAnswer, ...options, group: options.signal !== undefined }),
    open: (to) =>
      new Promise((resolve, reject) => {
        const where = 'socket' in to ? to.socket : `${to.host} port ${to.port}`
        const socket = connect('socket' in to ? { path: to.socket } : to)
        socket.once('connect', () => resolve(socket))
        socket.once('error', (cause) => {
          const message = `cannot reach ${where} from there: ${cause.message}`
          reject(new NetopsError('unreachable', { host: name, message, cause }))
        })
      }),
    close: () => Promise.resolve(),
  }
}
