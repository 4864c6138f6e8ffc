/**
 * Checks the two rules on imports in src/ (README, "How it is built"), as part of `npm run lint`:
 * - imports point one way, down the table below;
 * - only the folders of `NODE` use Node's modules or packages that need Node; everything else runs in a browser as well.
 * Tests (`*.test.ts`, and `test-*.ts` for what they share), benchmarks and scripts may import anything; but benchmarks are
 * built apart from src/ and must name it `#osler/`.
 */
import * as fs from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Readers: files, text, images, data sets. They know tensors and nothing above; who is above the tensors may use them. */
const readers = ['platform', 'formats', 'text', 'vision', 'data'];
const engine = ['gpu', 'tensor', 'kernels', 'autograd'];
const models = [...engine, ...readers, 'nn', 'models', 'optim'];
const training = [...models, 'generate', 'train'];
const tasks = ['sft', 'grpo', 'synth', 'eval'];

/** Each folder of src/, and the other folders that it may import from. */
const MAY_IMPORT = {
  gpu: [],
  tensor: ['gpu'],
  platform: ['gpu'],
  formats: ['gpu', 'tensor', 'platform'],
  text: ['gpu', 'tensor', 'platform', 'formats'],
  vision: ['gpu', 'tensor', 'platform', 'formats'],
  data: ['gpu', 'tensor', 'platform', 'formats', 'text', 'vision'],
  phantom: ['gpu', 'platform', 'formats', 'vision', 'data'],
  kernels: ['gpu', 'tensor'],
  autograd: ['gpu', 'tensor', 'kernels'],
  nn: [...engine, ...readers],
  optim: [...engine, 'nn'],
  models: [...engine, ...readers, 'nn'],
  generate: models,
  train: [...models, 'generate'],
  sft: training,
  // Rewards read answers as the evaluation does.
  grpo: [...training, 'eval'],
  eval: training,
  synth: [...training, 'eval'],
  report: [...training, ...tasks],
  demo: [...training, ...tasks, 'phantom', 'report'],
  cli: [...training, ...tasks, 'phantom', 'report', 'demo'],
};

/** Folders that may use Node's modules and any package. */
const NODE = ['platform', 'cli'];
/** Packages that run in a browser as well. */
const PORTABLE = [
  'zod',
  'yaml',
  '@huggingface/tokenizers',
  '@huggingface/jinja',
  'dicom-parser',
  'hyparquet',
  'hyparquet-compressors',
  'hyparquet-writer',
  '@cornerstonejs/codec-charls',
  '@cornerstonejs/codec-openjpeg',
  'preact',
  'uplot',
];
/** Exceptions, each with its reason. */
const ALSO = {};

const src = fileURLToPath(new URL('../src/', import.meta.url));
const problems = [];

for (const file of fs.readdirSync(src, { recursive: true }).sort()) {
  if (!/\.tsx?$/.test(file) || isTest(file) || !file.includes(path.sep)) continue;
  const folder = file.split(path.sep)[0];
  if (!MAY_IMPORT[folder]) {
    problems.push(
      `src/${file}: the folder ${folder}/ is not in the table of scripts/check-imports.mjs; add it there`,
    );
    continue;
  }
  const text = withoutComments(fs.readFileSync(path.join(src, file), 'utf8'));
  for (const { specifier, line } of imports(text)) {
    const problem = judge(folder, file, specifier);
    if (problem) problems.push(`src/${file}:${line}: ${problem}`);
  }
}

const bench = path.join(src, '..', 'bench');
for (const file of fs.readdirSync(bench).filter((name) => name.endsWith('.ts'))) {
  for (const { specifier, line } of imports(
    withoutComments(fs.readFileSync(path.join(bench, file), 'utf8')),
  )) {
    if (!specifier.startsWith('../src/')) continue;
    problems.push(
      `bench/${file}:${line}: imports ${specifier}; write ${specifier.replace('../src/', '#osler/')}`,
    );
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`check-imports: ${problems.length} import(s) against the rules`);
  process.exit(1);
}

function isTest(file) {
  return file.endsWith('.test.ts') || path.basename(file).startsWith('test-');
}

function judge(folder, file, specifier) {
  if (specifier.startsWith('.')) {
    const target = path.relative(src, path.resolve(src, path.dirname(file), specifier));
    if (target.startsWith('..')) return `imports ${specifier}, which is outside of src/`;
    const to = target.split(path.sep)[0];
    if (to === folder || MAY_IMPORT[folder].includes(to)) return undefined;
    const allowed = MAY_IMPORT[folder].map((name) => `${name}/`).join(', ') || 'nothing';
    return `${folder}/ must not import from ${to}/ (it may import from ${allowed})`;
  }
  if (NODE.includes(folder)) return undefined;
  if (isBuiltin(specifier)) {
    return `imports ${specifier}, but only ${NODE.map((name) => `${name}/`).join(', ')} may use Node; pass in what you need`;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if ([...PORTABLE, ...(ALSO[folder] ?? [])].includes(name)) return undefined;
  return `imports ${name}, which is not listed as running in browsers (scripts/check-imports.mjs) and ${folder}/ must`;
}

/** Static and dynamic imports and re-exports. */
function imports(text) {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])([^'"\n]+)\1/g;
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[2],
    line: text.slice(0, match.index).split('\n').length,
  }));
}

/** Blanks comments, keeping line numbers. */
function withoutComments(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '$1');
}
