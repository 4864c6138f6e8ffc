/** `npm test [-- vitest arguments]`: installs and builds what is missing, then runs the tests on a GPU driver that works. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root } from './lib/checkout.mjs';

ensureInstalled();
ensureBuilt();
const run = path.join(root, 'dist', 'launcher', 'run.js');
const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
process.argv = [process.execPath, run, vitest, 'run', ...process.argv.slice(2)];
process.chdir(root);
await import(pathToFileURL(run).href);
