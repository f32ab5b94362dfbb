// What a manifest must look like, as a deployment reads it.
import { expect, test } from 'vitest'
import { buildManifest, semver } from '../../../src/model/manifest.ts'

const entry = {
  name: 'network_server',
  version: '1.0.0',
  commit: '0123456789abcdef0123456789abcdef01234567',
  platform: 'linux-x64',
  node: '24.21.0',
  size: 129_305_792,
  sha256: '0'.repeat(64),
}

test.each(['1.0.0', '0.0.0', '2.0.0-rc.1', '1.2.3+build.5', '1.0.0-alpha-b.0'])('%s is a version', (text) => {
  expect(semver.safeParse(text).success).toBe(true)
})

test.each(['1.0', 'v1.0.0', '01.0.0', '1.0.0-', '1.0.0-01', '../1.0.0', '1.0.0/x', '1.0.0 ', ''])(
  '%j is not a version',
  (text) => {
    expect(semver.safeParse(text).success).toBe(false)
  },
)

test('a manifest with fields of a later version is read, without them', () => {
  const parsed = buildManifest.parse({ schema: 'netops/build/v1', executables: [{ ...entry, later: 1 }], later: 2 })
  expect(parsed).toEqual({ schema: 'netops/build/v1', executables: [entry] })
})

test.each([
  ['another schema', { schema: 'netops/build/v2', executables: [entry] }],
  ['a name that is no executable', { schema: 'netops/build/v1', executables: [{ ...entry, name: '../x' }] }],
  ['a hash that is none', { schema: 'netops/build/v1', executables: [{ ...entry, sha256: 'abc' }] }],
  ['a size of nothing', { schema: 'netops/build/v1', executables: [{ ...entry, size: 0 }] }],
])('a manifest with %s is refused', (_, manifest) => {
  expect(buildManifest.safeParse(manifest).success).toBe(false)
})
