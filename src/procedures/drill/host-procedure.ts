// A drill of a backup as a procedure of one host.
import { join } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths, serverExecutable } from '../../model/paths.ts'
import { sequence } from '../../model/plan.ts'
import { releaseIn } from '../deploy/facts.ts'
import { defineHostProcedure } from '../procedure.ts'
import { drillRequest, type DrillRequest } from './request.ts'
import { drilling } from './work.ts'

interface DrillFacts {
  /** The release that is installed. */
  readonly release: string | undefined
}

export const backupDrill = defineHostProcedure<DrillRequest, DrillFacts>({
  name: 'backup-drill',
  title: 'Drill the restore on the host',
  request: drillRequest,
  // The archive must not expire meanwhile; what is in service is not touched.
  leases: ['backup'],
  async facts({ root }, { reader }) {
    const paths = hostPaths(root)
    const link = await reader.readLink(paths.current)
    return { release: link === undefined ? undefined : releaseIn(link, paths) }
  },
  plan({ host, root, which, scratch, objectives, healthyDeadlineMs }, { release }) {
    if (release === undefined) {
      throw new NetopsError('refused', {
        host,
        message: 'no release is installed here that could serve what is restored',
        hint: 'deploy first: netops deploy; netops backup verify proves the archive without one',
      })
    }
    const server = join(hostPaths(root).releases, release, serverExecutable)
    return sequence(`Drill the restore of ${which} on ${host}`, [
      {
        kind: 'step',
        id: 'drill',
        host,
        title: `Restore ${which} aside, and serve it there`,
        act: [drilling({ root, which, server, scratch, objectives, healthyDeadlineMs })],
        undo: [],
      },
    ])
  },
  reason: ({ which }) => `drill of ${which}`,
  result: () => ({ text: 'drilled', data: {} }),
})
