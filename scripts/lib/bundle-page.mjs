/**
 * Bundles the page of reports (src/report/page) into page.js and page.css, each complete in itself: reports carry them.
 *
 *     node scripts/lib/bundle-page.mjs FOLDER
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = path.join(root, 'src', 'report', 'page');

/** The page's script and style as text. */
export async function bundlePage() {
  const bundle = await rolldown({
    input: path.join(page, 'main.tsx'),
    platform: 'browser',
    tsconfig: path.join(page, 'tsconfig.json'),
    // Sources import each other as .js, as tsc has it.
    resolve: { extensionAlias: { '.js': ['.tsx', '.ts', '.js'] } },
  });
  const { output } = await bundle.generate({
    format: 'iife',
    minify: true,
    comments: { legal: true },
  });
  await bundle.close();
  const uplot = createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css');
  const style = `${fs.readFileSync(uplot, 'utf8')}\n${fs.readFileSync(path.join(page, 'style.css'), 'utf8')}`;
  return { script: output[0].code, style };
}

const [outDir] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url) && outDir) {
  const { script, style } = await bundlePage();
  fs.mkdirSync(outDir, { recursive: true });
  fs.writeFileSync(path.join(outDir, 'page.js'), script);
  fs.writeFileSync(path.join(outDir, 'page.css'), style);
}
