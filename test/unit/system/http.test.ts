import { once } from 'node:events'
import { createServer } from 'node:http'
import { networkInterfaces } from 'node:os'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { endpointsIn } from '../../../src/procedures/deploy/configs.ts'
import { urlHost } from '../../../src/model/login-names.ts'
import { parseServerConfig } from '../../../src/config/server-config.ts'
import { httpGet } from '../../../src/system/http.ts'

const zoned = Object.entries(networkInterfaces())
  .flatMap(([zone, addresses = []]) => addresses.map(({ address }) => `${address}%${zone}`))
  .find((address) => /^fe80:/i.test(address))

describe('an address in a URL', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['web1.example.com', 'web1.example.com'],
    ['::1', '[::1]'],
    ['fe80::1%eth0', '[fe80::1%25eth0]'],
  ])('of %s is %s', (address, shown) => expect(urlHost(address)).toBe(shown))

  test('has its zone encoded where the service is asked whether it is ready', () => {
    const config = parseServerConfig('server: { host: "fe80::1%eth0" }\n', 'config.yaml')
    expect(endpointsIn(config)).toMatchObject({
      readyUrl: 'http://[fe80::1%25eth0]:8080/health/ready',
      healthUrl: 'http://[fe80::1%25eth0]:8080/health',
    })
  })

  test.skipIf(zoned === undefined)(
    'with a zone is asked over that interface, which is no part of the host named',
    async () => {
      const server = createServer((request, response) =>
        response.end(`${request.url ?? ''} ${request.headers.host ?? ''}`),
      )
      server.listen(0, zoned)
      await once(server, 'listening')
      try {
        const { port } = server.address() as AddressInfo
        const { body } = await httpGet(`http://${urlHost(zoned ?? '')}:${port}/health?a=1`, 5000)
        expect(body).toBe(`/health?a=1 [${(zoned ?? '').split('%')[0] ?? ''}]:${port}`)
      } finally {
        server.close()
      }
    },
  )
})
