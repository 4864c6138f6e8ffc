/** Builds the page "This GPU" (page/): the page, its worker with kernel tests and benchmarks, and their fixtures. */
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleBrowser } from './bundle-browser.mjs';
import { noticeText, packagesOf } from './notices.mjs';
import { tabTests } from './tab-tests.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Nothing loads from elsewhere, and nothing is sent anywhere. */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src 'self'; img-src data:";

/** Files of the page by name. */
export async function pageFiles() {
  const { files, missing, modules } = await bundleBrowser(
    { page: 'page/main.tsx', worker: 'page/worker.ts' },
    { plugins: [tabTests] },
  );
  if (missing.length > 0) throw new Error(`the page asks for what browsers have not: ${missing.join('; ')}`);
  const read = (...parts) => fs.readFileSync(path.join(root, ...parts));
  const style = ['src/report/page/style.css', 'page/page.css'].map((file) => read(file)).join('\n');
  const fixtures = fs
    .readdirSync(path.join(root, 'kernels-tests', 'fixtures'))
    .filter((f) => f.endsWith('.safetensors'));
  return {
    ...files,
    'index.html': html(),
    'page.css': style,
    'licences.txt': noticeText(packagesOf(modules.filter((id) => !BARE.test(id)))),
    ...Object.fromEntries(fixtures.map((f) => [`fixtures/${f}`, read('kernels-tests', 'fixtures', f)])),
  };
}

/** Packages that carry no text of their licence, and that only DICOM pictures need: the page reads none. */
const BARE = /node_modules\/@cornerstonejs\//;

/** Writes them and returns the folder. */
export async function buildPage(folder = path.join(root, 'page', 'built')) {
  const files = await pageFiles();
  fs.rmSync(folder, { recursive: true, force: true });
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  }
  return folder;
}

function html() {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>This GPU · Osler</title>
<link rel="stylesheet" href="page.css">
</head>
<body>
<div id="page"><noscript>This page measures the GPU with JavaScript.</noscript></div>
<script type="module" src="page.js"></script>
</body>
</html>
`;
}
