import { describe, expect, test } from 'vitest'
import { openStorage, type StorageOutside } from '../../../../src/drivers/storage/choose.ts'
import { parseStoragePlace } from '../../../../src/model/storage-place.ts'

const outside = (endpoint?: string, isEncrypted = false): StorageOutside => ({
  files: () => Promise.reject(new Error('nothing is connected to')),
  s3: {
    region: 'eu-1',
    endpoint,
    pathStyle: true,
    credentials: () => Promise.reject(new Error('no credentials are read')),
  },
  isEncrypted,
})
const open = async (text: string, given = outside()): Promise<string> => {
  const place = parseStoragePlace(text)
  if ('fault' in place) throw new Error(place.fault)
  const storage = await openStorage(place, given)
  await storage.close()
  return storage.place
}

test.each([
  ['/srv/copies', '/srv/copies'],
  ['sftp://ops@vault:2222/srv/copies', 'sftp://ops@vault:2222/srv/copies'],
  ['sftp://vault/~/copies', 'sftp://vault/~/copies'],
  ['s3://copies/hosts/web1', 's3://copies/hosts/web1'],
])('%s is opened without connecting to anything', async (text, shown) => {
  expect(await open(text)).toBe(shown)
})

describe('a service without TLS', () => {
  test.each(['http://10.0.0.5:9000', 'http://localhost.example.com', 'http://127.evil.example.com'])(
    'is refused for what is not encrypted: %s',
    async (endpoint) => {
      await expect(open('s3://copies', outside(endpoint))).rejects.toThrow(/without TLS/)
    },
  )

  test.each([
    ['http://10.0.0.5:9000', true],
    ['http://127.0.0.1:9000', false],
    ['https://s3.example.com', false],
  ])('is fine for what is encrypted, or stays here, and with it: %s', async (endpoint, isEncrypted) => {
    expect(await open('s3://copies', outside(endpoint, isEncrypted))).toBe('s3://copies')
  })
})
