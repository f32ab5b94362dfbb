import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { identifySelf } from '../../../../src/system/processes.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { quickFolder } from '../../../support/scratch.ts'

let root = ''
beforeAll(async () => {
  root = await quickFolder('service')
})
afterAll(() => rm(root, { recursive: true }))

const stderrOf = async (words: string) => {
  const { exit, stdout, stderr } = await runCommand(words)
  expect(stdout).toBe('')
  return `exit ${exit}\n${stderr.replaceAll(root, 'ROOT')}`
}

it('starts, stops and restarts only what is deployed below a root, while no run is at work there', async () => {
  expect(await stderrOf(`service start --root ${root}`)).toMatchInlineSnapshot(`
    "exit 7
    netops: nothing is deployed below ROOT
      hint: netops deploy --root DIR
    "
  `)
  await mkdir(join(root, 'etc/network_system'), { recursive: true })
  await mkdir(join(root, 'var/lib/netops'), { recursive: true })
  await writeFile(join(root, 'etc/network_system/config.yaml'), '')
  const lease = {
    schema: 'netops/lease/v1',
    run: '20261123T104501Z-deploy-3f9a.local',
    reason: 'deploying 1.0.0',
    user: 'anna',
    host: 'laptop',
    since: '2026-11-23T10:45:01.000Z',
    process: await identifySelf(),
  }
  await writeFile(join(root, 'var/lib/netops/lease.json'), JSON.stringify(lease))
  expect(await stderrOf(`service restart --root ${root}`)).toContain('exit 6')
  expect(await stderrOf(`service stop --root ${root}`)).toMatchInlineSnapshot(`
    "exit 6
    netops: run 20261123T104501Z-deploy-3f9a.local (deploying 1.0.0) is at work below ROOT
    "
  `)
})
