import { expect, it } from 'vitest';
import { checkImports, importsOf, type Rules } from './imports.mjs';

const RULES: Rules = {
  rooms: {
    gpu: { may: [] },
    nn: { may: ['gpu', 'models/registry.ts', 'platform'] },
    'models/registry.ts': { may: ['models/families'] },
    'models/families': { may: ['gpu'] },
    platform: { may: [] },
    'platform/node': { may: ['platform'], node: true },
    cli: { may: ['nn', 'platform/node'], node: true },
    'engine.ts': { may: ['nn', 'gpu'] },
  },
  packages: ['zod', '@scope/good'],
  entries: ['engine.ts'],
};

/** Sound files, and what the checker says when some of them are others. */
const SOUND = {
  'engine.ts': `export * from './nn/linear.js';`,
  'nn/linear.ts': `import { a } from '../gpu/gpu.js';\nimport z from 'zod';\nimport '@scope/good/part';`,
  'nn/linear.test.ts': `import fs from 'node:fs';\nimport '../cli/main.js';`,
  'nn/test-help.ts': `import 'vitest';`,
  'gpu/gpu.ts': `export const a = 1;`,
  'platform/ports.ts': '',
  'platform/node/files.ts': `import fs from 'node:fs';\nimport sharp from 'sharp';\nimport type { F } from '../ports.js';`,
  'cli/main.tsx': `const name = 'x'; await import(name);\nimport '../nn/linear.js';\nimport '#osler/platform/node/files.js';`,
  'models/registry.ts': `import './families/qwen.js';`,
  'models/families/qwen.ts': `import '../../gpu/gpu.js';`,
};

function check(files: Readonly<Record<string, string>>, rules: Rules = RULES): string[] {
  return checkImports(new Map(Object.entries({ ...SOUND, ...files })), rules);
}

it('finds every kind of import, and none in comments and strings', () => {
  const text = `
    import a from 'one';
    import type { B } from "two"; // from 'comment'
    /* import 'comment' */ import 'three';
    export * from 'four'; export { c } from 'five';
    const d = import('six'), e = await import(\`seven\`);
    let f: import('eight').F; type G = typeof import('nine');
    require('ten'); require.resolve('eleven'); import.meta.resolve('twelve');
    createRequire(import.meta.url).resolve('thirteen');
    const strings = ["import 'string'", \`import 'template' \${await import('fourteen')}\`, /'/, '/*'];
    import h = require('fifteen'); path.resolve('no import'); export const i = 'from "nowhere"';
    import(strings[0]);`;
  const names =
    'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen'.split(' ');
  const found = importsOf(text, 'x.ts');
  expect(found.map(({ specifier }) => specifier)).toEqual([...names, undefined]);
  expect(found[0]?.line).toBe(2);
  expect(found.at(-1)?.line).toBe(12);
});

it('is content with sound files', () => {
  expect(check({})).toEqual([]);
});

const PLANTED: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  [
    'an import upwards',
    { 'gpu/gpu.ts': `\nimport '../nn/linear.js';` },
    /^src\/gpu\/gpu\.ts:2: gpu must not import from nn/,
  ],
  [
    'one of types',
    { 'gpu/up.ts': `import type { L } from '../nn/linear.js';` },
    /gpu must not import from nn/,
  ],
  ['one in a type', { 'gpu/up.ts': `let l: import('../nn/linear.js').L;` }, /gpu must not import from nn/],
  ['a re-export', { 'gpu/up.ts': `export * from '../nn/linear.js';` }, /gpu must not import from nn/],
  ['a dynamic import', { 'gpu/up.ts': `await import('../nn/linear.js');` }, /gpu must not import from nn/],
  [
    'an import by the package',
    { 'gpu/up.ts': `import '#osler/nn/linear.js';` },
    /gpu must not import from nn/,
  ],
  [
    'a room in a room',
    { 'nn/node.ts': `import '../platform/node/files.js';` },
    /nn must not import from platform\/node/,
  ],
  [
    'a side door',
    { 'nn/q.ts': `import '../models/families/qwen.js';` },
    /nn must not import from models\/families/,
  ],
  [
    'a builtin',
    { 'nn/fs.ts': `import 'node:fs';` },
    /^src\/nn\/fs\.ts:1: imports node:fs, which only Node has/,
  ],
  [
    'a builtin without its prefix',
    { 'nn/fs.ts': `import 'fs/promises';` },
    /imports fs\/promises, which only Node has/,
  ],
  [
    'a package of Node',
    { 'nn/p.ts': `import type { Sharp } from 'sharp';` },
    /imports sharp, which is not listed/,
  ],
  [
    'a resolved package',
    { 'nn/p.ts': `require.resolve('@scope/bad/x');` },
    /imports @scope\/bad, which is not listed/,
  ],
  ['a computed import', { 'nn/c.ts': `await import(name);` }, /^src\/nn\/c\.ts:1: imports what it computes/],
  [
    'a file that is not there',
    { 'nn/n.ts': `import './gone.js';` },
    /imports \.\/gone\.js, which is no file of src\/$/,
  ],
  ['a file outside', { 'nn/o.ts': `import '../../bench/x.js';` }, /outside of src\/$/],
  ['an unknown folder', { 'new/a.ts': '' }, /^src\/new\/a\.ts: the folder of this file is not in the table/],
  ['an unknown root file', { 'other.ts': '' }, /^src\/other\.ts: .* not in the table/],
  [
    'a root file of the wrong floor',
    { 'engine.ts': `import './cli/main.js';` },
    /^src\/engine\.ts:1: engine\.ts must not import from cli/,
  ],
  [
    'a circle of two',
    { 'gpu/a.ts': `import './b.js';`, 'gpu/b.ts': `import type { A } from './a.js';` },
    /^src\/: these files .* circle: gpu\/a\.ts, gpu\/b\.ts$/,
  ],
  [
    'a circle of three',
    { 'gpu/a.ts': `import './b.js';`, 'gpu/b.ts': `import './c.js';`, 'gpu/c.ts': `import './a.js';` },
    /circle: gpu\/a\.ts, gpu\/b\.ts, gpu\/c\.ts$/,
  ],
];

it.each(PLANTED)('finds %s', (_, files, problem) => {
  const problems = check(files);
  expect(problems.filter((line) => problem.test(line))).toHaveLength(1);
});

it('shows the way from an entry to Node, through rooms that may use it', () => {
  const rooms = { ...RULES.rooms, nn: { may: ['gpu', 'platform/node'] } };
  const problems = check({ 'nn/linear.ts': `import '../platform/node/files.js';` }, { ...RULES, rooms });
  expect(problems).toEqual([
    'src/engine.ts must run in a browser, but src/engine.ts > nn/linear.ts > platform/node/files.ts imports node:fs, which only Node has; pass in what you need',
    expect.stringContaining('platform/node/files.ts imports sharp, which is not listed'),
  ]);
});
