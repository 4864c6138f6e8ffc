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

/** Tests that mostly wait for processes of their own. */
const PROCESSES = ['examples', 'eval', 'cluster', 'browser.test.ts'].map((name) => `kernels-tests/${name}`);
/** Kernels in which lanes work together, or which have a variant for matrix units: what they give depends on the vectors. */
const FAMILIES = ['attention', 'matmul', 'matrix', 'norm', 'reduce', 'sampling', 'softmax', 'step', 'vocab'];
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
 * Everything, in three rows of runs side by side, as no two of them keep two cores busy. The first row has the tests of kernels,
 * and some of them again on vectors of another width; the second those of models and trainers; the third what needs no adapter, and
 * what starts processes of its own. All but what comes first is shown at the end.
 */
async function runAll() {
  const entries = readdirSync(path.join(root, 'kernels-tests'), { withFileTypes: true });
  const own = entries.map((entry) => ({
    file: `kernels-tests/${entry.name}`,
    isFolder: entry.isDirectory(),
  }));
  const others = own.filter(({ file }) => !PROCESSES.includes(file));
  const kernels = others.flatMap(({ file }) => (file.endsWith('.test.ts') ? [file] : []));
  const folders = others.flatMap(({ file, isFolder }) => (isFolder ? [`${file}/`] : []));
  const again = kernels.filter((file) => FAMILIES.some((family) => path.basename(file).startsWith(family)));
  const first = async () => {
    const runs = [await runVitest(kernels, { needsDriver: true })];
    if (!runs[0].finished || !(await isWide())) return runs;
    const env = { LP_NATIVE_VECTOR_WIDTH: '256' };
    return [...runs, await runVitest(again, { held: true, needsDriver: true, env })];
  };
  const third = async () => {
    const runs = [await runVitest(['--exclude', 'kernels-tests/**'], { held: true })];
    if (!runs[0].finished) return runs;
    return [...runs, await runVitest(PROCESSES, { held: true, needsDriver: true })];
  };
  const second = runVitest(folders, { held: true, needsDriver: true });
  const rows = [first(), second, third()];
  const runs = (await Promise.all(rows)).flat();
  for (const { output } of runs) process.stdout.write(output);
  return runs;
}

/** One run; if `held`, what it prints is given and not shown. */
async function runVitest(vitestArgs, { needsDriver = false, env = {}, held = false }) {
  const run = path.join(root, 'dist', 'platform', 'launcher', 'run.js');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'osler-tests-'));
  const file = path.join(folder, 'results.jsonl');
  const command = [...(needsDriver ? [run] : []), vitest, 'run', ...vitestArgs];
  const child = spawn(process.execPath, command, {
    cwd: root,
    stdio: ['inherit', held ? 'pipe' : 'inherit', 'pipe'],
    env: { ...process.env, ...env, OSLER_TEST_TALLY: file },
  });
  // Tests run in a worker, where Dawn's noise cannot be kept back at its source.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!DAWN_NOISE.test(line)) process.stderr.write(`${line}\n`);
  });
  const output = [];
  child.stdout?.on('data', (chunk) => output.push(chunk));
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
  return { ...readRun(text, ending), output: Buffer.concat(output) };
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
