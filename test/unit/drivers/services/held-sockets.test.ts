import { expect, test } from 'vitest'
import { addressesIn, passedBy, passedTo, showSocket } from '../../../../src/drivers/services/held-sockets.ts'

const unit = `[Socket]
ListenStream=127.0.0.1:8080
ListenStream=127.0.0.1:8080
ListenStream=[::1]:8443
#ListenStream=127.0.0.1:1
ListenStream=/run/some.socket
Backlog=65535
`

test('the addresses of a socket unit are read as they stand there, each as often', () => {
  const found = addressesIn(unit)
  expect(found).toEqual([
    { address: '127.0.0.1', port: 8080 },
    { address: '127.0.0.1', port: 8080 },
    { address: '::1', port: 8443 },
  ])
  expect(found.map(showSocket)).toEqual(['127.0.0.1:8080', '127.0.0.1:8080', '[::1]:8443'])
  expect(addressesIn('')).toEqual([])
})

test('a process is told of its sockets as by systemd, with the port of each; without any it is started as it is', () => {
  const held = { addresses: addressesIn(unit), descriptors: [20, 21, 22], letGo: () => undefined }
  expect(passedBy(held)).toEqual({ LISTEN_FDS: '3', LISTEN_FDNAMES: '8080:8080:8443' })
  expect(passedTo(['/server', '--config', 'x'], held).slice(-3)).toEqual(['/server', '--config', 'x'])
  const none = { addresses: [], descriptors: [], letGo: () => undefined }
  expect([passedBy(none), passedTo(['/server'], none)]).toEqual([{}, ['/server']])
})
