// Restoring a backup as a procedure of one host.
import { hostPaths } from '../../model/paths.ts'
import { releaseIn } from '../deploy/facts.ts'
import { defineHostProcedure } from '../procedure.ts'
import { readRestoreFacts, type RestoreFacts } from './facts.ts'
import { planRestore } from './plan.ts'
import { restoreRequest, type RestoreRequest } from './request.ts'

export const restore = defineHostProcedure<RestoreRequest, RestoreFacts>({
  name: 'restore',
  title: 'Restore it on the host',
  request: restoreRequest,
  // The files in service are replaced, and the archive must not expire meanwhile.
  leases: ['release', 'backup'],
  facts: (request, { reader, services }) => readRestoreFacts(request, reader, services),
  plan: planRestore,
  reason: ({ backup }) => `restore of ${backup.id}`,
  async standing({ root }, { reader }) {
    const paths = hostPaths(root)
    const link = await reader.readLink(paths.current)
    return { release: (link === undefined ? undefined : releaseIn(link, paths)) ?? null }
  },
  result({ backup, only }, changed, { undone, standing }) {
    const what = only.length === 0 ? backup.id : `${backup.id} (${only.join(', ')})`
    const release = standing?.release ?? undefined
    const now =
      standing === undefined
        ? 'what is in service now was not asked'
        : release === undefined
          ? 'no service is installed here, and none was started: deploy one with netops deploy'
          : `${release} is in service and healthy`
    const text = undone
      ? `taken back: all is as before ${what} was restored`
      : !changed
        ? `nothing to do: all is as in ${what}`
        : `restored ${what}; ${now}`
    return { text, data: { backup: backup.id, ...(standing === undefined ? {} : { release: release ?? null }) } }
  },
})
