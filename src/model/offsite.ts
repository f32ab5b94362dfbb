// Copies elsewhere: where to, for whom, and how the place is reached; as a fleet file and as requests say it.
import * as z from 'zod'
import { hostSource } from './file-source.ts'
import { expects, key } from './schema-notes.ts'
import { parseStoragePlace } from './storage-place.ts'

const placeWords = 's3://bucket/prefix, sftp://[user@]host[:port]/folder or an absolute path'

/** The address of a place for copies. */
export const storageAddress = expects(
  z
    .string()
    .max(2000)
    .superRefine((text, context) => {
      const place = parseStoragePlace(text)
      if ('fault' in place) context.addIssue({ code: 'custom', message: place.fault })
    }),
  placeWords,
)

export const offsiteSettings = expects(
  z.union([storageAddress, z.array(storageAddress).max(10).readonly()]),
  `${placeWords}, or a list of such`,
)

/** All places of what a fleet file says, each once. */
export const placesOf = (offsite: z.output<typeof offsiteSettings>): readonly string[] => [
  ...new Set(typeof offsite === 'string' ? [offsite] : offsite),
]

// age's own form: bech32 of an X25519 public key (age-encryption.org/v1).
const recipientWords = 'a recipient that begins with age1, as age-keygen prints it'

/** Somebody who can read what is encrypted. */
export const recipient = expects(
  z.string().regex(/^age1[0-9a-z]{58,2000}$/, `expected ${recipientWords}`),
  recipientWords,
)

const endpointWords = 'an address such as https://s3.example.com'
const endpoint = expects(
  z
    .url({ protocol: /^https?$/, error: `expected ${endpointWords}` })
    .regex(/^[^@?#]*$/, `expected ${endpointWords}; keys do not belong here`),
  endpointWords,
)

/** How an S3 service is reached. */
export const s3Settings = z
  .strictObject({
    region: key(
      expects(
        z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected a region such as eu-west-1'),
        'a region such as eu-west-1',
      ).default('us-east-1'),
      'The region of the bucket.',
    ),
    endpoint: key(endpoint.optional(), 'The address of a service other than Amazon’s.'),
    path_style: key(
      z.boolean().default(false),
      'Whether the bucket stands in the path instead of the host name, as many services beside Amazon’s need it.',
    ),
    access_key: key(
      hostSource.default({ file: '/etc/netops/s3_access_key' }),
      'Where the host finds the id of its key. It needs the right to put and no other.',
    ),
    secret_key: key(
      hostSource.default({ file: '/etc/netops/s3_secret_key' }),
      'Where the host finds the secret of its key.',
    ),
    session_token: key(hostSource.optional(), 'Where the host finds the token of a key that is valid for a while.'),
  })
  .readonly()
export type S3Settings = z.output<typeof s3Settings>

/** The folder of a host in a place: its name in the fleet. */
export const copyHost = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+@-]{0,199}$/, 'expected the name of a host')

/** What a host is asked for of copies. */
export const offsiteRequest = z.strictObject({
  places: z.array(storageAddress).min(1).max(10),
  /** The folder for this host’s copies in each place: many hosts share one. */
  as: copyHost,
  recipients: z.array(recipient).max(100),
  s3: s3Settings.prefault({}),
})
export type OffsiteRequest = z.output<typeof offsiteRequest>
