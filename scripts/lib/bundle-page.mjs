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
import { noticeText, packagesOf } from './notices.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = path.join(root, 'src', 'report', 'page');

/** The page's script and style as text. The script begins with the licences of what it carries: reports are passed on. */
export async function bundlePage() {
  const { code, style, packages } = await bundle();
  return { script: `/*!\n${noticeText(packages)}\n*/\n${code}`, style };
}

/** The packages whose code is in the page. */
export async function pagePackages() {
  return (await bundle()).packages;
}

async function bundle() {
  const build = await rolldown({
    input: path.join(page, 'main.tsx'),
    platform: 'browser',
    tsconfig: path.join(page, 'tsconfig.json'),
    // Sources import each other as .js, as tsc has it.
    resolve: { extensionAlias: { '.js': ['.tsx', '.ts', '.js'] } },
  });
  const { output } = await build.generate({ format: 'iife', minify: true });
  await build.close();
  const uplot = createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css');
  const style = `${fs.readFileSync(uplot, 'utf8')}\n${fs.readFileSync(path.join(page, 'style.css'), 'utf8')}`;
  return { code: output[0].code, style, packages: packagesOf([...output[0].moduleIds, uplot]) };
}

const [outDir] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url) && outDir) {
  const { script, style } = await bundlePage();
  fs.mkdirSync(outDir, { recursive: true });
  fs.writeFileSync(path.join(outDir, 'page.js'), script);
  fs.writeFileSync(path.join(outDir, 'page.css'), style);
}
