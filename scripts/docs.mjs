/**
 * `npm run docs [-- --check]`: renders the TSDoc of the library into docs/api/html, of every entry that package.json exports.
 * Any warning fails it: a name without a comment, a type that is used but not exported. `--check` writes nothing.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { ensureInstalled, root } from './lib/checkout.mjs';

const folder = path.join(root, 'docs', 'api');
ensureInstalled();
ensureInstalled(folder);
const { exports } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
const entries = Object.values(exports)
  .filter((entry) => entry.types)
  .map(({ types }) => path.join(root, types.replace('./dist/', 'src/').replace('.d.ts', '.ts')));
const typedoc = path.join(folder, 'node_modules', 'typedoc', 'bin', 'typedoc');
const flags = process.argv.includes('--check') ? ['--emit', 'none'] : [];
const { status } = spawnSync(process.execPath, [typedoc, ...flags, ...entries], {
  cwd: folder,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
