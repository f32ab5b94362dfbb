import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { groupMemory } from '../../../src/server/cgroup.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netops-cgroup-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const write = (files: Readonly<Record<string, string>>) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

it('reads version 2, without the pages of files that can be had back', () => {
  write({
    'proc/self/cgroup': '0::/system.slice/network_service.service\n',
    'sys/fs/cgroup/system.slice/network_service.service/memory.max': '1000000\n',
    'sys/fs/cgroup/system.slice/network_service.service/memory.high': 'max\n',
    'sys/fs/cgroup/system.slice/network_service.service/memory.current': '800000\n',
    'sys/fs/cgroup/system.slice/network_service.service/memory.stat': 'anon 1\ninactive_file 300000\n',
  })
  expect(groupMemory(root)).toEqual({ limit: 1_000_000, used: 500_000 })
})

it('takes the group above where that one is nearer to its limit, and the lower of two limits of one', () => {
  write({
    'proc/self/cgroup': '0::/pod/app\n',
    'sys/fs/cgroup/pod/app/memory.max': 'max\n',
    'sys/fs/cgroup/pod/memory.max': '2000\n',
    'sys/fs/cgroup/pod/memory.high': '1000\n',
    'sys/fs/cgroup/pod/memory.current': '950\n',
  })
  expect(groupMemory(root)).toEqual({ limit: 1000, used: 950 })
})

it('finds the limit of a container that sees its own group as the top', () => {
  write({
    'proc/self/cgroup': '0::/../../docker/abc\n',
    'sys/fs/cgroup/memory.max': '4096\n',
    'sys/fs/cgroup/memory.current': '1024\n',
  })
  expect(groupMemory(root)).toEqual({ limit: 4096, used: 1024 })
})

it('reads version 1', () => {
  write({
    'proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/job\n0::/\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/job/memory.limit_in_bytes': '5000\n',
    'sys/fs/cgroup/memory/job/memory.usage_in_bytes': '4900\n',
    'sys/fs/cgroup/memory/job/memory.stat': 'inactive_file 7\ntotal_inactive_file 900\n',
  })
  expect(groupMemory(root)).toEqual({ limit: 5000, used: 4000 })
})

it('knows nothing without a limit, and without control groups', () => {
  expect(groupMemory(root)).toBeUndefined()
  write({ 'proc/self/cgroup': '0::/a\n', 'sys/fs/cgroup/a/memory.max': 'max\n' })
  expect(groupMemory(root)).toBeUndefined()
})
