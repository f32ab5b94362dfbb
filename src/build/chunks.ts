// Joins the chunks of a split bundle into one script that evaluates a chunk when it is first needed, and not before.
// As one flat CommonJS bundle a start took about 6 ms longer: every function of every library was set up each time.
import { transform } from 'esbuild'

export interface Chunk {
  /** As other chunks import it: `./run-cli-AJYB4YO3.js`. */
  readonly name: string
  /** An ECMAScript module. */
  readonly code: string
}

// `host` is the require that Node gives to an embedded script: it knows Node's own modules only.
const loader = `function(host,chunks){
const loaded=Object.create(null)
return function load(name){
if(loaded[name]!==undefined)return loaded[name].exports
const run=chunks[name]
if(run===undefined)return host(name)
const module=loaded[name]={exports:{}}
run(module,module.exports,load)
return module.exports
}}`

/**
 * One CommonJS script that starts with a chunk and loads the others as they are imported.
 * @param prelude a statement before everything, seen by all chunks
 * @param entry the name of the chunk to start with
 * @throws what esbuild throws when a chunk cannot be CommonJS (a top-level await)
 */
export async function joinChunks(prelude: string, entry: string, chunks: readonly Chunk[]): Promise<string> {
  const ordered = [...chunks].sort((a, b) => (a.name < b.name ? -1 : 1))
  const functions = await Promise.all(ordered.map(async ({ name, code }) => [name, await toCommonJs(code)] as const))
  // The parentheses make V8 compile a chunk together with the script, and so keep it in the code cache.
  const table = functions.map(([name, code]) => `${JSON.stringify(name)}:(function(module,exports,require){${code}})`)
  return `"use strict";${prelude}\n(${loader})(require,{${table.join(',\n')}})(${JSON.stringify(entry)})\n`
}

async function toCommonJs(code: string): Promise<string> {
  const result = await transform(code, {
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true,
    minifySyntax: true,
    // An import of a chunk becomes a deferred require; Node cannot import from inside an executable.
    supported: { 'dynamic-import': false },
    logLevel: 'silent',
  })
  return result.code
}
