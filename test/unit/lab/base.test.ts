import { describe, expect, test } from 'vitest'
import { aptSource } from '../../../src/lab/base.ts'

const targets = [
  'bookworm-security bookworm-security main http://mirror.example/security/ $(SIGNED_BY)',
  'bookworm bookworm contrib http://other.example/debian/ $(SIGNED_BY)',
  'bookworm bookworm main http://mirror.example/debian/ /usr/share/keyrings/archive.gpg',
  '',
].join('\n')

describe('the source of the base image', () => {
  test('is the main part of the release where apt gets it', () => {
    expect(aptSource('bookworm', targets, '')).toEqual({
      mirror: 'http://mirror.example/debian/',
      keyring: '/usr/share/keyrings/archive.gpg',
      env: {},
      ca: '',
    })
  })

  test('is found by what the source list says before the first apt-get update', () => {
    const fresh = '$(CODENAME) trixie main https://mirror.example/debian/ $(SIGNED_BY)\n'
    expect(aptSource('trixie', fresh, '')).toMatchObject({ mirror: 'https://mirror.example/debian/', keyring: '' })
  })

  test('leaves a key that is no binary key ring to debootstrap, which could not read it', () => {
    const armoured = 'trixie trixie main https://mirror.example/debian/ /etc/apt/keyrings/archive.asc\n'
    expect(aptSource('trixie', armoured, '').keyring).toBe('')
  })

  test.each([
    ['a proxy', 'Acquire::http::Proxy=http://proxy.example:3128', { env: { http_proxy: 'http://proxy.example:3128' } }],
    ['a proxy with = in it', 'Acquire::https::Proxy=http://p/?a=b', { env: { https_proxy: 'http://p/?a=b' } }],
    ['an explicit direct way', 'Acquire::http::Proxy=DIRECT', { env: { http_proxy: '' } }],
    ['no value', 'Acquire::http=\nAcquire::http::Proxy=', { env: {} }],
    ['an authority', 'Acquire::https::CaInfo=/etc/ssl/ours.pem', { ca: '/etc/ssl/ours.pem' }],
  ])('is reached as apt reaches it: %s', (_, settings, expected) => {
    expect(aptSource('bookworm', targets, settings)).toMatchObject(expected)
    expect(aptSource('bookworm', targets, settings).env).toEqual('env' in expected ? expected.env : {})
  })

  test('is missed with a message that names the release and what to do', () => {
    expect(() => aptSource('trixie', targets, '')).toThrow(
      expect.objectContaining({ code: 'refused', message: expect.stringContaining('trixie') as string }) as Error,
    )
  })
})
