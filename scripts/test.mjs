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
const { DAWN_NOISE } = await import('../dist/platform/launcher/stderr.js');
const tally = addUp(args.length > 0 ? [await runSome()] : await runAll());
if (process.env.OSLER_TEST_REPORT) writeFileSync(process.env.OSLER_TEST_REPORT, JSON.stringify(tally));
console.log(closingLines(tally).join('\n'));
process.exitCode = tally.failed.length > 0 ? 1 : 0;

/** What the arguments name. What is tested beside its source needs no adapter, and is tested on systems that have none. */
function runSome() {
  return runVitest(args, { needsDriver: !args.every((word) => /^(src|scripts)(\/|$)/.test(word)) });
}

/**
 * Everything: what needs an adapter, which does not keep two cores busy, and beside it what needs none, which keeps one. The
 * output of the second is shown after that of the first.
 */
async function runAll() {
  const without = (...folders) => folders.flatMap((folder) => ['--exclude', `${folder}/**`]);
  const kernels = runVitest(without('src', 'scripts', 'bench'), { needsDriver: true });
  const runs = await Promise.all([kernels, runVitest(without('kernels-tests'), { after: kernels })]);
  if (runs[0].finished && (await isWide())) {
    console.log('The kernel tests again, with vectors of 256 bits:');
    const env = { LP_NATIVE_VECTOR_WIDTH: '256' };
    runs.push(await runVitest(kernelTests(), { needsDriver: true, env }));
  }
  return runs;
}

/** One run; `after` is another, before whose end nothing is printed. */
async function runVitest(vitestArgs, { needsDriver = false, env = {}, after }) {
  const run = path.join(root, 'dist', 'platform', 'launcher', 'run.js');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'osler-tests-'));
  const file = path.join(folder, 'results.jsonl');
  const command = [...(needsDriver ? [run] : []), vitest, 'run', ...vitestArgs];
  const child = spawn(process.execPath, command, {
    cwd: root,
    stdio: ['inherit', after ? 'pipe' : 'inherit', 'pipe'],
    env: { ...process.env, ...env, OSLER_TEST_TALLY: file },
  });
  // Tests run in a worker, where Dawn's noise cannot be kept back at its source.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!DAWN_NOISE.test(line)) process.stderr.write(`${line}\n`);
  });
  const held = [];
  child.stdout?.on('data', (chunk) => held.push(chunk));
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
  await after;
  process.stdout.write(Buffer.concat(held));
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

/** Those that are about numbers. */
function kernelTests() {
  const others = ['engine.test.ts', 'faults.test.ts', 'gpu.test.ts'];
  const files = readdirSync(path.join(root, 'kernels-tests')).filter((file) => file.endsWith('.test.ts'));
  return files.filter((file) => !others.includes(file)).map((file) => `kernels-tests/${file}`);
}
