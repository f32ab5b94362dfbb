import { expect, test } from 'vitest'
import { parseStoragePlace } from '../../../src/model/storage-place.ts'

test.each([
  ['/srv/copies', { kind: 'folder', folder: '/srv/copies' }],
  ['s3://copies', { kind: 's3', bucket: 'copies', prefix: '' }],
  ['s3://copies/', { kind: 's3', bucket: 'copies', prefix: '' }],
  ['s3://my.copies/hosts/web1/', { kind: 's3', bucket: 'my.copies', prefix: 'hosts/web1/' }],
  ['sftp://vault/srv/copies/', { kind: 'sftp', address: 'vault', folder: '/srv/copies' }],
  ['sftp://ops@10.0.0.5:2222/srv', { kind: 'sftp', user: 'ops', address: '10.0.0.5', port: 2222, folder: '/srv' }],
  ['sftp://[2001:db8::1]:22/srv', { kind: 'sftp', address: '2001:db8::1', port: 22, folder: '/srv' }],
  ['sftp://vault/~/copies', { kind: 'sftp', address: 'vault', folder: 'copies' }],
])('%s is a place', (text, place) => {
  expect(parseStoragePlace(text)).toEqual(
    place.kind === 'sftp' ? { port: undefined, user: undefined, ...place } : place,
  )
})

test.each([
  ...['copies', '', 'ftp://vault/srv', '/srv/../etc', '/', '//srv', '/srv/'],
  ...['s3://', 's3://C/x', 's3://ab', 's3://key:secret@copies/x', 's3://copies/a/../b', 's3://copies//a'],
  ...['sftp://vault', 'sftp://vault/', 'sftp://vault/~', 'sftp://vault/~/../x', 'sftp:///srv', 'sftp://-x/srv'],
  ...['sftp://ops:hush@vault/srv', 'sftp://$(id)@vault/srv', 'sftp://vault:0/srv', 'sftp://vault:99999/srv'],
])('%j is none', (text) => {
  expect(parseStoragePlace(text)).toMatchObject({ fault: expect.stringMatching(/expected|password/) as string })
})

test('what is wrong is told without a password that stands in it', () => {
  expect(JSON.stringify(parseStoragePlace('sftp://ops:hush@vault/srv'))).not.toContain('hush')
})
