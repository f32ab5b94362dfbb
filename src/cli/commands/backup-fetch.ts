// netops backup fetch: brings a backup back from elsewhere, also to a machine that has nothing but the identity.
import { resolve } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { copyHost, storageAddress } from '../../model/offsite.ts'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'

const schema = z.object({
  from: storageAddress.optional(),
  to: z.string().min(1).optional(),
  identity: z.string().min(1).optional(),
  of: copyHost.optional(),
  list: z.boolean().default(false),
  region: z.string().optional(),
  endpoint: z.string().optional(),
  pathStyle: z.boolean().default(false),
})

export const backupFetch = defineCommand({
  name: 'backup fetch',
  summary:
    'Bring a copy back from elsewhere (default: the latest): decrypted, every byte verified, for netops restore or tar',
  args: '[id]',
  examples: [
    'netops backup fetch --list --from s3://bucket/prefix',
    'netops backup fetch --from s3://bucket/prefix --of web1 --to /root/back --identity /root/age.txt',
    'netops backup fetch config_20261127_020000 --from /mnt/disk --to /root/back',
  ],
  options: [
    { flags: '--from <place>', description: 'where from: s3://bucket/prefix, sftp://host/folder, /folder' },
    { flags: '--to <dir>', description: 'into which folder; it is made for root alone' },
    { flags: '--identity <file>', description: 'the age identity that decrypts it, a file of mode 0600' },
    { flags: '--of <host>', description: 'only copies of this host' },
    { flags: '--list', description: 'show which copies are there, and fetch none' },
    { flags: '--region <name>', description: 'of the bucket (default: $AWS_REGION, then us-east-1)' },
    { flags: '--endpoint <url>', description: 'of a service other than Amazon’s (default: $AWS_ENDPOINT_URL)' },
    { flags: '--path-style', description: 'the bucket stands in the path of the address' },
  ],
  async run({ options, args: [id = 'latest'] }, context) {
    const { from: address, to, identity, of: host, list, ...service } = parseOptions(schema, options)
    if (address === undefined || (to === undefined && !list)) {
      const message = address === undefined ? '--from: expected a place' : '--to: expected a folder'
      throw new NetopsError('usage', { message, hint: 'see netops backup fetch --help' })
    }
    const { copiesIn, fetchBackup } = await import('../../fleet/offsite.ts')
    const { copiesResult, fetchedResult } = await import('../present/offsite-text.ts')
    const from = { address, host, ...service }
    if (list || to === undefined) return copiesResult(address, await copiesIn(from, context))
    const { amountTold } = await import('../present/progress/amount-told.ts')
    const folder = resolve(context.cwd, to)
    const secret = identity === undefined ? undefined : resolve(context.cwd, identity)
    const wanted = { id, to: folder, identity: secret }
    return fetchedResult(address, await fetchBackup(from, wanted, context, amountTold(context)))
  },
})
