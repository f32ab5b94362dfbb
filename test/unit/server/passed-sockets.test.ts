import { describe, expect, it } from 'vitest'
import { dealOut, passedSockets, type Surroundings } from '../../../src/server/passed-sockets.ts'

// /proc/self/net/tcp, as the kernel writes it: three listening sockets and one connection.
const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0 100 0 0 10 0
   2: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 104 1 0 100 0 0 10 0
`
const tcp6 = `  sl  local_address                         remote_address                        st tx rx tr tm retrnsmt uid timeout inode
   0: 00000000000000000000000000000000:20FB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 103 1 0 100 0 0 10 0
`

const surroundings = (more: Partial<Surroundings> & { readonly inodes?: readonly number[] } = {}): Surroundings => ({
  env: { LISTEN_PID: '7', LISTEN_FDS: String(more.inodes?.length ?? 3) },
  pid: 7,
  read: (path) => {
    if (path.endsWith('tcp')) return tcp
    if (path.endsWith('tcp6')) return tcp6
    throw new Error(path)
  },
  readLink: (path) => `socket:[${(more.inodes ?? [101, 102, 103])[Number(path.split('/').at(-1)) - 3] ?? 0}]`,
  ...more,
})

describe('sockets that are passed to the process', () => {
  it('are told apart by the port that the kernel says they listen on', () => {
    expect([...passedSockets(surroundings())]).toEqual([
      [8080, [3, 4]],
      [8443, [5]],
    ])
  })

  it('have the port that they are named after, where the kernel does not know them yet', () => {
    const env = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: '80:443:network_service.socket' }
    expect([...passedSockets(surroundings({ env, inodes: [9, 9, 103] }))]).toEqual([
      [80, [3]],
      [443, [4]],
      [8443, [5]],
    ])
  })

  it.each([
    ['another process', { LISTEN_PID: '8', LISTEN_FDS: '3' }],
    ['nobody', {}],
    ['no number', { LISTEN_PID: '7', LISTEN_FDS: 'many' }],
    ['more than there can be', { LISTEN_PID: '7', LISTEN_FDS: '99999' }],
  ])('are none where the environment names %s', (_, env) => {
    expect([...passedSockets(surroundings({ env }))]).toEqual([])
  })

  it.each([
    ['a connection', 104],
    ['something else', 9],
  ])('are refused where one is %s', (_, inode) => {
    expect(() => passedSockets(surroundings({ inodes: [101, inode] }))).toThrow(
      'descriptor 4 was passed and is no listening TCP socket',
    )
  })

  it('are dealt out so that nobody is left without one while there are enough, and none without a thread', () => {
    expect(dealOut([3, 4, 5, 6], 4)).toEqual([[3], [4], [5], [6]])
    expect(dealOut([3, 4, 5], 2)).toEqual([[3, 5], [4]])
    expect(dealOut([3], 3)).toEqual([[3], [], []])
  })
})
