// How many cases of a property are tried: a few in `npm run check`, a sample in `npm test`, many in `npm run endurance`.

const effort = process.env.NETOPS_ENDURANCE === '1' ? 20 : process.env.NETOPS_QUICK === '1' ? 0.2 : 1

/** What fast-check is told; NETOPS_SEED repeats a sample. */
export const samples = (usual: number): { readonly numRuns: number; readonly seed?: number } => ({
  ...(process.env.NETOPS_SEED === undefined ? {} : { seed: Number(process.env.NETOPS_SEED) }),
  numRuns: Math.ceil(usual * effort),
})
