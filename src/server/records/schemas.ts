// What requests for records may say, and what answers say: for the routes, and for the document that describes them.
import * as z from 'zod'

// RFC 3986, 2.3: what stands in an address as it is. `.` and `..` would be taken out of it on the way.
const namePattern = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,200}$/

const name = (about: string) => z.string().regex(namePattern).meta({ description: about })

/** Whether a text is the name of a collection, or a key. */
export const isName = (text: string | undefined): boolean => text !== undefined && namePattern.test(text)

export const nameWords = '1 to 200 of A-Z a-z 0-9 . _ ~ -, and neither . nor ..'

export const collectionPath = z.object({ collection: name(`The collection: ${nameWords}.`) })
export const recordPath = collectionPath.extend({ key: name(`The key: ${nameWords}.`) })

/** Most records of a page, and how many it has where nobody says. */
const mostListed = 1000
const usuallyListed = 100

const digits = /^\d{1,9}$/
const limit = z
  .preprocess(
    (given) => (typeof given === 'string' && digits.test(given) ? Number(given) : given),
    z.int('expected a whole number').min(1).max(mostListed).default(usuallyListed),
  )
  .meta({
    description:
      'Most records of the page. It may have fewer, also where there are more: one of large values ends early.',
  })

// As long as a key: what no key can begin with finds nothing.
const prefix = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{0,200}$/)
  .default('')
  .meta({ description: 'Only keys that begin with this.' })

const cursorMark = '1'

/** Where a page ended, as clients give it back. */
export const cursorAfter = (key: string): string => Buffer.from(`${cursorMark}${key}`).toString('base64url')

const cursor = z
  .string()
  .max(300)
  .refine((text) => keyOf(text) !== undefined, 'expected what an answer gave as next')
  .meta({ description: 'Where to go on: `next` of the page before.' })

/** The key that a cursor stands for; undefined where it is none of ours. */
export function keyOf(text: string): string | undefined {
  const decoded = Buffer.from(text, 'base64url').toString('latin1')
  const key = decoded.slice(cursorMark.length)
  return isName(key) && cursorAfter(key) === text ? key : undefined
}

export const listQuery = z.strictObject({ prefix, limit, cursor: cursor.optional() })

// RFC 9110, 8.8.3
const etagText = /"[\x21\x23-\x7e\x80-\xff]*"/
const mostEtags = 100
const etagList = new RegExp(
  `^(?:\\*|(?:W/)?${etagText.source}(?:[ \\t]*,[ \\t]*(?:W/)?${etagText.source}){0,${mostEtags - 1}})$`,
)

const ifMatch = z
  .string()
  .regex(etagList, `expected *, or at most ${mostEtags} ETags such as "7"`)
  .meta({
    description: 'Only where the record has one of these ETags; `*`: only where there is one.',
    examples: ['"7"'],
  })

export const conditionalRead = z.object({
  'if-match': ifMatch.optional(),
  'if-none-match': z
    .string()
    .meta({ description: 'Where the record still has one of these ETags, the answer is 304.', examples: ['"7"'] })
    .optional(),
})

export const writeHeaders = z.object({
  'if-match': ifMatch.optional(),
  'if-none-match': z
    .literal('*', 'expected *')
    .optional()
    .meta({ description: '`*`: only where there is no such record.' }),
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 visible ASCII characters')
    .optional()
    .meta({
      description:
        'Chosen by the client, new for each write. Sent again with the same request, it is answered as before and does nothing more; with another request it is refused (422). Kept for 24 hours at least.',
    }),
})
export type WriteHeaders = z.output<typeof writeHeaders>

export const etag = z
  .string()
  .regex(/^"[1-9][0-9]*"$/)
  .meta({ description: 'Changes with every write; never comes back for this key.', examples: ['"7"'] })

export const written = z.strictObject({ key: recordPath.shape.key, etag })

export const listed = z
  .strictObject({
    items: z.array(
      z.strictObject({
        key: recordPath.shape.key,
        etag,
        updated: z.iso.datetime().meta({ description: 'When it was written last.' }),
        value: z.unknown().meta({ description: 'The record itself: any JSON.' }),
      }),
    ),
    next: z
      .string()
      .optional()
      .meta({ description: 'The cursor of the next page; absent where this is the last one.' }),
  })
  .meta({ description: "Records by the order of their keys' bytes." })

/** An error (RFC 9457). */
export const problem = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().meta({ description: 'What is wrong, for people.' }),
  request_id: z.string().meta({ description: 'As in the header X-Request-Id.' }),
  reason: z
    .enum(['maintenance', 'standby'])
    .optional()
    .meta({ description: 'Why nothing is begun now: the service is in maintenance, or takes no writes here.' }),
  primary: z.string().optional().meta({ description: 'Where writes are taken, as far as a standby knows.' }),
})

export const requestId = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{1,128}$/)
  .meta({
    description: "The request's name, as it stands in the logs; a new one where none, or another text, is sent.",
  })
