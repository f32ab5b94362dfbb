// A server that begins whatever it is asked for: primary, and not in maintenance.
import type { Standing } from '../../src/server/standing/standing.ts'

export const atWork: Standing = { maintenance: () => false, role: () => ({ kind: 'primary' }) }
