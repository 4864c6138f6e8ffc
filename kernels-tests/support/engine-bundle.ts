/** The engine as a page gets it: one script, without Node. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import type { Engine } from './use-engine.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Packages that ask for modules of Node, but only where they find themselves in Node. */
const GUARDED = /node_modules\/@cornerstonejs\/codec-\w+\//;

/** Bundles the engine for browsers; `missing` are the modules that only Node has and that something asks for. */
export async function bundleEngine(): Promise<{ code: string; missing: string[] }> {
  const missing: string[] = [];
  const bundle = await rolldown({
    input: path.join(root, 'src', 'engine.ts'),
    platform: 'browser',
    onLog: (_level, log) => {
      if (!GUARDED.test(log.id ?? '')) missing.push(log.message);
    },
  });
  const { output } = await bundle.generate({ format: 'iife', name: 'engine', codeSplitting: false });
  await bundle.close();
  return { code: output[0].code, missing };
}

/** What Node has and browsers have not; `require` and its like are no globals in modules anyway. */
const NODE_ONLY = ['process', 'Buffer', 'global', 'setImmediate', 'clearImmediate', 'require', 'module'];

/** Runs a bundle that sees none of {@link NODE_ONLY}. */
export function runBundle(code: string): Engine {
  return new Function(...NODE_ONLY, `${code}\nreturn engine;`)() as Engine;
}
