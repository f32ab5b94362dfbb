// Tokens of requests: JSON web tokens, signed with HMAC SHA-256 by whoever shares the key (guide: Authentication).
import type { JWTPayload } from 'jose'

/** Who sent a request, by its token. */
export interface Caller {
  /** The token's `sub`; '' where it has none. */
  readonly subject: string
}

/** Whom the value of a request's Authorization header lets in; undefined where it is nobody. At once where it is known. */
export type TokenCheck = (authorization: string | undefined) => Caller | undefined | Promise<Caller | undefined>

export interface TokenRules {
  readonly key: Uint8Array
  readonly issuer: string
  readonly now: () => Date
}

// RFC 6750, 2.1; a JWT in its compact form is three words of base64url (RFC 7515, 7.1).
const bearer = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

// What is remembered of tokens comes to 10 MB a thread at most. Longer ones are rare, and checked each time.
const mostRemembered = 10_000
const longestRemembered = 1024

/** Loads what checks tokens; a service without them does without it. A token that was good is, until its `exp`. */
export async function createTokenCheck({ key, issuer, now }: TokenRules): Promise<TokenCheck> {
  const { jwtVerify } = await import('jose/jwt/verify')
  const usage = { name: 'HMAC', hash: 'SHA-256' }
  const verifier = await crypto.subtle.importKey('raw', Uint8Array.from(key), usage, false, ['verify'])
  const good = new GoodTokens()

  const verify = async (header: string, token: string): Promise<Caller | undefined> => {
    try {
      const { payload } = await jwtVerify(token, verifier, {
        algorithms: ['HS256'],
        issuer,
        requiredClaims: ['exp'],
        currentDate: now(),
      })
      const caller = callerOf(payload)
      if (caller !== undefined) good.remember(header, { caller, exp: payload.exp ?? 0 })
      return caller
    } catch {
      // Whatever it is, the answer is no. Why would help an attacker, and in a log it would quote parts of the token.
      return undefined
    }
  }
  return (authorization = '') => {
    const known = good.find(authorization, now())
    if (known !== undefined) return known
    const token = bearer.exec(authorization)?.[1]
    return token === undefined ? undefined : verify(authorization, token)
  }
}

// RFC 7519, 4.1.2: text, where it is there at all.
const callerOf = ({ sub = '' }: JWTPayload): Caller | undefined =>
  typeof sub === 'string' ? { subject: sub } : undefined

interface GoodToken {
  readonly caller: Caller
  /** Seconds since 1970. */
  readonly exp: number
}

/** Headers whose tokens were found good, those that were used last. Only holders of the key can make it grow. */
class GoodTokens {
  // By order of use, in two halves: when the newer one is full, it becomes the older one, and what nobody used since the
  // last time is forgotten with that. Cheaper than moving an entry at each use.
  #newer = new Map<string, GoodToken>()
  #older = new Map<string, GoodToken>()

  find(header: string, now: Date): Caller | undefined {
    const recent = this.#newer.get(header)
    const found = recent ?? this.#older.get(header)
    if (found === undefined) return undefined
    // As jose judges: whole seconds, and at `exp` it is over (RFC 7519, 4.1.4).
    if (found.exp <= Math.floor(now.getTime() / 1000)) {
      this.#newer.delete(header)
      this.#older.delete(header)
      return undefined
    }
    if (recent === undefined) this.remember(header, found)
    return found.caller
  }

  remember(header: string, token: GoodToken): void {
    if (header.length > longestRemembered) return
    if (this.#newer.size >= mostRemembered / 2) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(header, token)
  }
}
