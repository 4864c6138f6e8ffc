/** The closing lines of `npm test`, from runs of vitest on files that pass, fail, skip, and end the process. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addUp, closingLines, readRun } from './tally.mjs';

const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const reporter = new URL('./tally-reporter.mjs', import.meta.url).href;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osler-tally-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs vitest on files of these texts; returns what `npm test` reads. */
function run(files: Record<string, string>, ...args: string[]) {
  const tally = path.join(folder, 'tally.jsonl');
  writeFileSync(tally, '');
  writeFileSync(
    path.join(folder, 'vitest.config.mjs'),
    `import { TallyReporter } from '${reporter}';
     export default { test: { globals: true, maxWorkers: 1, reporters: [new TallyReporter('${tally}')] } };`,
  );
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const ending = spawnSync(process.execPath, [vitest, 'run', ...args], { cwd: folder, stdio: 'ignore' });
  return readRun(readFileSync(tally, 'utf8'), ending);
}

const MIXED = `
  describe('a', () => {
    test('passes', () => {});
    test('fails', () => { throw new Error('one\\ntwo') });
    test('says why', ({ skip }) => skip(true, 'no such device'));
  });
  test.skip('b', () => {});`;
const HOOK = "describe('c', () => { beforeAll(() => { throw new Error('no') }); test('d', () => {}); });";
/** Ends vitest once it has told that the test began, which takes it a tenth of a second. */
const CRASH = `
  import { readFileSync } from 'node:fs';
  test('f', () => {});
  test('g', async () => {
    while (!readFileSync('tally.jsonl', 'utf8').includes('> g"')) {
      await new Promise((done) => setTimeout(done, 20));
    }
    process.kill(process.ppid, 'SIGKILL');
  });`;

test('results of several runs are added up, and names told', () => {
  const files = { 'mixed.test.js': MIXED, 'hook.test.js': HOOK, 'broken.test.js': 'import "./not";' };
  const first = run(files);
  const { passed, failed, skipped } = addUp([first]);
  expect(passed).toBe(1);
  // What fails outside of tests counts.
  expect(failed.map(({ name }) => name).sort()).toEqual([
    'broken.test.js',
    'hook.test.js > c',
    'mixed.test.js > a > fails',
  ]);
  expect(skipped.map(({ name }) => name).sort()).toEqual([
    'hook.test.js > c > d',
    'mixed.test.js > a > says why',
    'mixed.test.js > b',
  ]);
  const lines = closingLines(addUp([first]));
  expect(lines).toContain('skipped: mixed.test.js > a > says why: no such device');
  expect(lines).toContain('failed: mixed.test.js > a > fails: one');
  expect(lines.at(-1)).toBe('1 passed, 3 failed, 3 skipped');

  const second = run(
    { 'mixed.test.js': MIXED.replace("skip(true, 'no such device')", '{}') },
    'mixed',
    '-t',
    'a says',
  );
  // What -t leaves out is not told, and what one of the runs did was not skipped.
  expect(closingLines(addUp([second]))).toEqual(['1 passed, 0 failed, 0 skipped']);
  expect(closingLines(addUp([first, second])).at(-1)).toBe('2 passed, 3 failed, 2 skipped');
});

test('a process that ends in mid-run has failed, with the test that ran', () => {
  const { results, finished } = run({ 'crash.test.js': CRASH }, '--pool', 'forks');
  expect(finished).toBe(false);
  expect(closingLines(addUp([{ results, finished }]))).toEqual([
    'failed: crash.test.js > g: no result, ended by SIGKILL',
    '1 passed, 1 failed, 0 skipped',
  ]);
});

test('a run that never began, or fails without a failed test, has failed', () => {
  const never = readRun('', { status: 1, signal: null });
  expect(never.results).toMatchObject([{ name: 'the run', note: 'no result, exit status 1' }]);
  const odd = readRun('{"name":"h","state":"passed","ms":12000}\n{"ended":true}\n', {
    status: 1,
    signal: null,
  });
  expect(closingLines(addUp([odd]))).toEqual([
    '12.0 s: h',
    'failed: the run: exit status 1',
    '1 passed, 1 failed, 0 skipped',
  ]);
});
