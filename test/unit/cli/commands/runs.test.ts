import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable, type FakeHost } from '../../../support/fake-hosts.ts'
import { layDown } from '../../../support/old-runs.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
  await writeFile(join(fleet.cwd, 'netops'), 'netops')
  await writeFile(join(fleet.cwd, 'network_server'), '#!/bin/sh\n')
})
afterAll(() => fleet.remove())

const empty: FakeHost = {
  commands: [
    [/^uname -sm$/, { stdout: 'Linux x86_64\n' }],
    [/^nproc$/, { stdout: '2\n' }],
    [/^od /, { code: 1 }],
    [/^env TZ=UTC systemctl show /, { stdout: 'LoadState=not-found\nActiveState=inactive\n' }],
    [/^getent passwd /, { code: 2 }],
    [/^cat \/proc\/net\/tcp /, { stdout: '' }],
    [/ ground \//, { stdout: '' }],
    [/getconf GNU_LIBC_VERSION/, { stdout: 'glibc 2.36\nsystemd\n' }],
    [/ldconfig -p/, { stdout: '' }],
    [/^date \+%s\.%N$/, { stdout: '1795430000.5\n' }],
    [/^find .* -printf /, { stdout: '' }],
    [/^find .*run\.json/, { stdout: '' }],
  ],
}
const connections = fakeConnections({ web1: empty, web2: empty, db1: unreachable })
const netops = (words: string) => {
  const env = { NETOPS_EXECUTABLE: join(fleet.cwd, 'netops'), NETOPS_STATE_DIR: join(fleet.cwd, 'state') }
  return runCommand(words, { cwd: fleet.cwd, connections, env })
}
const steady = (text: string) =>
  text.replaceAll(fleet.cwd, 'FOLDER').replaceAll(/\d{8}T\d{6}Z-(\S+?)-[0-9a-f]{4}/g, 'RUN-$1')

/** The lines of hosts and steps, without the commands below each step. */
const titlesOf = (text: string) => steady(text).replaceAll(/^ {6}.*\n/gm, '')

describe('netops deploy --dry-run', () => {
  it('shows every step on every host, and changes nothing', async () => {
    const { exit, stdout, stderr } = await netops('deploy --dry-run --group edge')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(titlesOf(stdout)).toMatchInlineSnapshot(`
      "web1: from here
        Push netops
        Take the host
        Push the release (unversioned-a8076d3d28d2)
        Push the configuration
        Activate it on the host
        Give the host back
      web1: by its own netops
        Check the configuration with the new release
        Prepare the service account and folders
        Back up the current configuration (unchanged)
        Deploy the new binaries (unversioned-a8076d3d28d2)
        Stop the service gracefully (unchanged)
        Switch to unversioned-a8076d3d28d2
        Update the configuration
        Install the systemd unit
        Start the service
        Verify that the service is healthy
        Record the activation
        Remove what is no longer needed

      web2: from here
        Push netops
        Take the host
        Push the release (unversioned-a8076d3d28d2)
        Push the configuration
        Activate it on the host
        Give the host back
      web2: by its own netops
        Check the configuration with the new release
        Prepare the service account and folders
        Back up the current configuration (unchanged)
        Deploy the new binaries (unversioned-a8076d3d28d2)
        Stop the service gracefully (unchanged)
        Switch to unversioned-a8076d3d28d2
        Update the configuration
        Install the systemd unit
        Start the service
        Verify that the service is healthy
        Record the activation
        Remove what is no longer needed

      Dry run: nothing was changed.
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('fails where a host cannot be reached', async () => {
    const { exit, stdout, stderr } = await netops('deploy --dry-run')
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: '' })
    expect(stderr).toMatchInlineSnapshot(`
      "netops: db1: connection refused
        hint: is its sshd running?; or go on without it: --max-failures 1
      "
    `)
  })
})

describe('netops gc --dry-run', () => {
  it('shows what it would remove', async () => {
    const { exit, stdout, stderr } = await netops('gc --dry-run --hosts web1,web2')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(titlesOf(stdout)).toMatchInlineSnapshot(`
      "web1: from here
        Push netops
        Take the host
        Clean up the host
        Give the host back
      web1: by its own netops
        Remove 0 old runs (unchanged)
        Remove netops builds that no run needs (unchanged)
        Remove 0 leftovers (unchanged)

      web2: from here
        Push netops
        Take the host
        Clean up the host
        Give the host back
      web2: by its own netops
        Remove 0 old runs (unchanged)
        Remove netops builds that no run needs (unchanged)
        Remove 0 leftovers (unchanged)

      Dry run: nothing was changed.
      would remove 0 old runs of this fleet file on this machine
      "
    `)
  })

  it('makes a document', async () => {
    const { exit, json } = await netops('gc --dry-run --hosts web1 --json')
    expect(exit).toBe(0)
    expect(JSON.parse(json)).toMatchObject({
      ...{ command: 'gc', ok: true, dryRun: true, ownRuns: [] },
      hosts: [{ host: 'web1', push: [{ title: 'Push netops' }, {}, {}, {}], gc: expect.any(Array) as unknown }],
    })
  })
})

describe("the operator's own runs", () => {
  it('are cleaned up with the fleet file and the environment that they belong to, and no others', async () => {
    const runs = join(fleet.cwd, 'old', 'runs')
    const journal = { lines: 4, ended: true }
    const file = { scope: 'fleet', state: 'ended', outcome: 'done' } as const
    const mine = { fleetFile: join(fleet.cwd, 'netops.yml'), environment: 'staging' }
    const theirs = [{ ...mine, environment: 'production' }, { ...mine, fleetFile: '/srv/other/netops.yml' }, {}]
    await layDown(runs, { run: 'mine', file: { ...file, ...mine }, journal })
    for (const [at, whose] of theirs.entries())
      await layDown(runs, { run: `theirs-${at}`, file: { ...file, ...whose }, journal })
    await layDown(runs, { run: 'host-run', file: { ...file, scope: 'host' }, journal })
    const env = { NETOPS_EXECUTABLE: join(fleet.cwd, 'netops'), NETOPS_STATE_DIR: join(fleet.cwd, 'old') }
    const words = 'gc --dry-run --hosts web1 --older-than 0s --keep-runs 0 --json'
    const { json } = await runCommand(words, { cwd: fleet.cwd, connections, env })
    expect(JSON.parse(json)).toMatchObject({ ownRuns: ['mine'] })
  })
})

describe('netops runs', () => {
  it('lists what was run from here', async () => {
    expect(steady((await netops('runs list')).stdout)).toMatchInlineSnapshot(`
      "no runs in FOLDER/state/runs
      "
    `)
    expect(steady((await netops('runs show RUN')).stderr)).toMatchInlineSnapshot(`
      "netops: there is no run RUN in FOLDER/state/runs
        hint: netops runs list shows them
      "
    `)
  })
})
