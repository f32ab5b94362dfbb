// SHA-256 as it stands in records: 64 hexadecimal digits.
import * as z from 'zod'

export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
