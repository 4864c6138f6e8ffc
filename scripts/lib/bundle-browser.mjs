/** Bundles code for pages and workers out of the sources, with `shaders/` as a module. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { shaderPlugin } from './shader-texts.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Packages that ask for modules of Node, but only where they find themselves in Node. */
const GUARDED = /node_modules\/@cornerstonejs\/codec-\w+\//;

/**
 * Bundles entries, by their names and paths in the checkout, into modules that find each other side by side.
 *
 * @returns `files`: texts by name; `missing`: the modules that only Node has and that something asks for; `modules`: the
 *   files that are in it.
 */
export async function bundleBrowser(input, { minify = true, plugins = [] } = {}) {
  const missing = [];
  const build = await rolldown({
    input: Object.fromEntries(Object.entries(input).map(([name, file]) => [name, path.join(root, file)])),
    platform: 'browser',
    cwd: root,
    plugins: [shaderPlugin, ...plugins],
    // Sources import each other as .js, as tsc has it.
    resolve: { extensionAlias: { '.js': ['.tsx', '.ts', '.js'] } },
    onLog: (_level, log) => {
      if (!GUARDED.test(log.id ?? '')) missing.push(log.message);
    },
  });
  const { output } = await build.generate({
    format: 'esm',
    minify,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  });
  await build.close();
  return {
    files: Object.fromEntries(output.map((chunk) => [chunk.fileName, chunk.code ?? chunk.source])),
    missing,
    modules: output.flatMap((chunk) => chunk.moduleIds ?? []).filter((id) => !id.startsWith('\0')),
  };
}
