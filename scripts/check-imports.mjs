/**
 * Checks the imports of src/ (README, "How it is built"), as part of `npm run lint`:
 * - they point one way, down the table below, and no files import each other in a circle, be it for types alone;
 * - only rooms marked `node` use Node's modules or packages that need Node; everything else runs in a browser as well;
 * - nothing that `osler/engine` or `osler/browser` reaches, through whatever rooms, is one of these.
 * Tests (`*.test.ts`, and `test-*.ts` for what they share), benchmarks and scripts may import anything; but benchmarks are
 * built apart from src/ and must name it `#osler/`.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkImports, importsOf } from './lib/imports.mjs';

/** From bytes to values. They know tensors and nothing above; who is above the tensors may use them. */
const readers = ['platform', 'formats', 'text', 'vision'];
const ops = ['gpu', 'tensor', 'kernels', 'autograd'];
const models = [...ops, ...readers, 'nn', 'models', 'models/core', 'optim'];
const training = [...models, 'generate', 'train'];
const tasks = ['rollout', 'endpoint', 'exchange', 'sft', 'grpo', 'synth', 'eval'];
const all = [...training, 'data', ...tasks, 'phantom', 'report', 'demo'];

/** Each folder of src/ (and folders in it that have rules of their own), and the folders that it may import from. */
const rooms = {
  gpu: { may: [] },
  tensor: { may: ['gpu'] },
  kernels: { may: ['gpu', 'tensor'] },
  autograd: { may: ['gpu', 'tensor', 'kernels'] },
  platform: { may: [] },
  'platform/node': { may: ['platform'], node: true },
  // What a page or worker has; it bundles as `osler/engine` does.
  'platform/browser': { may: ['platform', 'gpu'] },
  'platform/launcher': { may: ['platform', 'gpu'], node: true },
  formats: { may: ['gpu', 'tensor', 'platform'] },
  text: { may: ['platform', 'formats'] },
  vision: { may: ['platform', 'formats'] },
  data: { may: ['platform', 'formats', 'text', 'vision'] },
  phantom: { may: ['gpu', 'platform', 'formats', 'vision', 'data'] },
  nn: { may: ops },
  optim: { may: [...ops, 'nn'] },
  'models/core': { may: [...ops, 'platform', 'formats', 'vision', 'nn'] },
  // Nobody but the registry knows which families there are; the core knows nothing of them.
  'models/families': { may: [...ops, 'text', 'vision', 'nn', 'models/core', 'models/families/room.ts'] },
  'models/families/room.ts': { may: ['text', 'nn', 'models/core'] },
  'models/registry.ts': { may: ['models/core', 'models/families', 'models/families/room.ts'] },
  models: {
    may: [...ops, ...readers, 'nn', 'models/core', 'models/registry.ts', 'models/families/room.ts'],
  },
  generate: { may: models },
  train: { may: [...models, 'generate'] },
  endpoint: { may: ['platform'] },
  exchange: { may: [] },
  // What needs Node's sockets; the rest of the house knows the port alone.
  'exchange/nats': { may: ['exchange'], node: true },
  rollout: { may: [...training, 'data', 'endpoint'] },
  sft: { may: [...training, 'data'] },
  grpo: { may: [...training, 'data', 'rollout', 'exchange', 'eval'] },
  eval: { may: [...training, 'data'] },
  synth: { may: [...training, 'data', 'endpoint', 'eval'] },
  report: { may: [...training, 'data', ...tasks] },
  demo: { may: all },
  // Processes that can be ended, each a file; nobody imports them, `platform/node/helper.ts` starts them.
  helpers: { may: [...all, 'platform/node'], node: true },
  cli: { may: [...all, 'exchange/nats', 'platform/node', 'platform/launcher'], node: true },
  'engine.ts': { may: [...training, 'data', ...tasks] },
  'browser.ts': { may: ['engine.ts', 'platform', 'platform/browser'] },
  'index.ts': { may: ['engine.ts', 'platform/node', 'platform/launcher'], node: true },
};

/** Packages that run in a browser as well. */
const packages = [
  'zod',
  'yaml',
  '@huggingface/tokenizers',
  '@huggingface/jinja',
  'dicom-parser',
  'hyparquet-writer',
  '@cornerstonejs/codec-charls',
  '@cornerstonejs/codec-openjpeg',
  'preact',
  'uplot',
];

const root = fileURLToPath(new URL('..', import.meta.url));
const src = read('src', true);
const problems = [
  ...checkImports(src, { rooms, packages, entries: ['engine.ts', 'browser.ts'] }),
  ...benchProblems(),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`check-imports: ${problems.length} against the rules`);
  process.exit(1);
}

/** Texts of a folder's source files, by path in it. */
function read(folder, recursive) {
  const names = fs.readdirSync(path.join(root, folder), { recursive }).filter((name) => /\.tsx?$/.test(name));
  const text = (name) => fs.readFileSync(path.join(root, folder, name), 'utf8');
  return new Map(names.map((name) => [name.replaceAll(path.sep, '/'), text(name)]));
}

function benchProblems() {
  const up = /^(\.\.\/)+src\//;
  return [...read('bench', true)].flatMap(([file, text]) =>
    importsOf(text, file)
      .filter(({ specifier }) => up.test(specifier))
      .map(
        ({ specifier, line }) =>
          `bench/${file}:${line}: imports ${specifier}; write ${specifier.replace(up, '#osler/')}`,
      ),
  );
}
