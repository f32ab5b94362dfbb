// Tokens of requests: JSON web tokens, signed with HMAC SHA-256 by whoever shares the key (guide: Authentication).
/** Whether the value of a request's Authorization header lets it in. */
export type TokenCheck = (authorization: string | undefined) => Promise<boolean>

export interface TokenRules {
  readonly key: Uint8Array
  readonly issuer: string
  readonly now: () => Date
}

// RFC 6750, 2.1; a JWT in its compact form is three words of base64url (RFC 7515, 7.1).
const bearer = /^bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/** Loads what checks tokens; a service without them does without it. */
export async function createTokenCheck({ key, issuer, now }: TokenRules): Promise<TokenCheck> {
  const { jwtVerify } = await import('jose/jwt/verify')
  const usage = { name: 'HMAC', hash: 'SHA-256' }
  const verifier = await crypto.subtle.importKey('raw', Uint8Array.from(key), usage, false, ['verify'])
  return async (authorization) => {
    const token = bearer.exec(authorization ?? '')?.[1]
    if (token === undefined) return false
    try {
      await jwtVerify(token, verifier, {
        algorithms: ['HS256'],
        issuer,
        requiredClaims: ['exp'],
        currentDate: now(),
      })
      return true
    } catch {
      // Whatever it is, the answer is no. Why would help an attacker, and in a log it would quote parts of the token.
      return false
    }
  }
}
