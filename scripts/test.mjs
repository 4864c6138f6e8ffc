/** `npm test [-- vitest arguments]`: installs and builds what is missing, then runs the tests on a GPU driver that works. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './lib/checkout.mjs';

ensureInstalled();
ensureBuilt();
const args = process.argv.slice(2);
const status = runVitest(args, {});
// llvmpipe has its matrix tier only at 256-bit vectors, and is fastest at 512: the tests of matrix units run on their own.
const again = status === 0 && args.length === 0 && !process.env.LP_NATIVE_VECTOR_WIDTH;
process.exitCode = again ? runVitest(['-t', 'matrix units'], { LP_NATIVE_VECTOR_WIDTH: '256' }) : status;

function runVitest(vitestArgs, env) {
  const run = path.join(root, 'dist', 'platform', 'launcher', 'run.js');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawnSync(process.execPath, [run, vitest, 'run', ...vitestArgs], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (child.signal) console.error(`The tests' process was ended by ${child.signal}.`);
  return child.status ?? 1;
}
