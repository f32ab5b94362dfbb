// A fleet file of three hosts in a folder of its own, for commands that are run in this process.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { quickFolder } from './scratch.ts'

const fleetFile = `environment: staging
config: { file: config.yaml }
ssh: { user: admin }
groups:
  edge: { hosts: [web1, web2] }
hosts:
  web1: { address: 10.0.0.11, roles: [backend], tags: [blue] }
  web2: { address: 10.0.0.12, roles: [backend], ssh: { port: 2222 }, config: { server: { port: 8081 } } }
  db1: { address: 10.0.0.21, roles: [database] }
`

export interface SmallFleet {
  readonly cwd: string
  readonly remove: () => Promise<void>
}

/** Writes netops.yml, with web1, web2 and db1, and config.yaml. */
export async function smallFleet(): Promise<SmallFleet> {
  const cwd = await quickFolder('fleet')
  await writeFile(join(cwd, 'netops.yml'), fleetFile)
  await writeFile(join(cwd, 'config.yaml'), 'server: { port: 8080 }\n')
  return { cwd, remove: () => rm(cwd, { recursive: true, force: true }) }
}
