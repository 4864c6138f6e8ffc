/**
 * `npm test [-- vitest arguments]`: installs and builds what is missing, then runs the tests on a GPU driver that works.
 * The last line says `N passed, N failed, N skipped`; `OSLER_TEST_REPORT` names a file that gets the same as JSON.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ensureBuilt, ensureInstalled, root } from './lib/checkout.mjs';
import { addUp, closingLines, readRun } from './lib/tally.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

ensureInstalled();
ensureBuilt();
const args = process.argv.slice(2);
// What is tested beside its source needs no adapter, and is tested on systems that have none.
const needsDriver = !args.length || !args.every((word) => /^(src|scripts)(\/|$)/.test(word));
const { DAWN_NOISE } = await import('../dist/platform/launcher/stderr.js');
const runs = [await runVitest(args)];
if (args.length === 0 && runs[0].finished && (await isWide())) {
  console.log('The kernel tests again, with vectors of 256 bits:');
  runs.push(await runVitest(kernelTests(), { LP_NATIVE_VECTOR_WIDTH: '256' }));
}
const tally = addUp(runs);
if (process.env.OSLER_TEST_REPORT) writeFileSync(process.env.OSLER_TEST_REPORT, JSON.stringify(tally));
console.log(closingLines(tally).join('\n'));
process.exitCode = tally.failed.length > 0 ? 1 : 0;

async function runVitest(vitestArgs, env = {}) {
  const run = path.join(root, 'dist', 'platform', 'launcher', 'run.js');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'osler-tests-'));
  const file = path.join(folder, 'results.jsonl');
  const command = [...(needsDriver ? [run] : []), vitest, 'run', ...vitestArgs];
  const child = spawn(process.execPath, command, {
    cwd: root,
    stdio: ['inherit', 'inherit', 'pipe'],
    env: { ...process.env, ...env, OSLER_TEST_TALLY: file },
  });
  // Tests run in a worker, where Dawn's noise cannot be kept back at its source.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!DAWN_NOISE.test(line)) process.stderr.write(`${line}\n`);
  });
  // Whatever ends the tests, the closing line says what they came to.
  const forward = (signal) => {
    // A terminal sends Ctrl-C to the child by itself.
    if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  const ending = await new Promise((resolve) => {
    child.on('error', (error) => resolve({ status: error.message }));
    child.on('close', (status, signal) => resolve({ status, signal }));
  });
  for (const signal of SIGNALS) process.off(signal, forward);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  rmSync(folder, { recursive: true });
  return readRun(text, ending);
}

/**
 * True if the tests ran on llvmpipe with vectors of 512 bits, by the launcher's choice. Most processors have 256, where sums
 * are added in another order and there are matrix units.
 */
async function isWide() {
  if (process.env.LP_NATIVE_VECTOR_WIDTH) return false;
  const { chooseLaunch } = await import('../dist/platform/launcher/launch.js');
  const { adapter, env } = chooseLaunch(() => {});
  return /llvmpipe/.test(adapter.name) && env.LP_NATIVE_VECTOR_WIDTH === '512';
}

function kernelTests() {
  const files = readdirSync(path.join(root, 'kernels-tests'));
  return files.filter((file) => file.endsWith('.test.ts')).map((file) => `kernels-tests/${file}`);
}
