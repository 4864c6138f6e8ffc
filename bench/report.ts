/**
 * How long a large report takes to open: 200 steps of 64 completions, 1600 pictures.
 *
 *     npm run build && node dist/bench/report.js [FOLDER]
 *
 * Needs a Chromium (OSLER_CHROMIUM, or on the PATH). The run is made up in a temporary folder, or kept in FOLDER.
 */
import '#osler/platform/node/install.js';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { loadPageAssets } from '#osler/report/assets.js';
import { writeReport } from '#osler/report/write-report.js';
import { makeRun } from './report-run.js';

const SHAPE = { steps: 200, prompts: 8, generations: 8, pictures: 1600, side: 384 };
const REPEATS = 5;
const MOST_BYTES = 20_000_000;
const MOST_MILLISECONDS = 2000;

const kept = process.argv[2];
const folder = kept ?? mkdtempSync(path.join(tmpdir(), 'osler-report-bench-'));
const executablePath =
  process.env.OSLER_CHROMIUM ??
  (process.env.PATH ?? '')
    .split(path.delimiter)
    .flatMap((dir) => ['chromium', 'google-chrome'].map((name) => path.join(dir, name)))
    .find((file) => existsSync(file));
if (executablePath === undefined) throw new Error('no Chromium found; set OSLER_CHROMIUM to its path');

try {
  if (!existsSync(path.join(folder, 'metrics.jsonl'))) await makeRun(folder, SHAPE);
  const began = performance.now();
  const written = await writeReport(folder, { assets: await loadPageAssets() });
  const seconds = (performance.now() - began) / 1000;
  const { completions, pictures } = written;
  console.log(`written   ${(written.bytes / 1e6).toFixed(2)} MB in ${seconds.toFixed(1)} s`);
  console.log(`holds     ${completions.shown} of ${completions.all} completions, ${pictures.shown} pictures`);
  const times = await openTimes(pathToFileURL(written.file).href, executablePath);
  const middle = (pick: (time: OpenTime) => number) =>
    times.map(pick).sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;
  console.log(`first     ${middle(({ first }) => first).toFixed(0)} ms until the first chart is drawn`);
  console.log(
    `complete  ${middle(({ complete }) => complete).toFixed(0)} ms until every trace can be searched`,
  );
  const good =
    written.bytes <= MOST_BYTES &&
    completions.shown === completions.all &&
    middle((t) => t.complete) <= MOST_MILLISECONDS;
  console.log(good ? 'within    20 MB and 2 s' : 'OVER      20 MB or 2 s');
  process.exitCode = good ? 0 : 1;
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}

interface OpenTime {
  readonly first: number;
  readonly complete: number;
}

/** Milliseconds from navigation, median of fresh pages. */
async function openTimes(url: string, executable: string): Promise<OpenTime[]> {
  const browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  const times: OpenTime[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const began = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator('.chart canvas').first().waitFor();
    const first = performance.now() - began;
    const all = (SHAPE.steps * SHAPE.prompts * SHAPE.generations).toLocaleString('en');
    await page.getByText(`${all} completions of`).waitFor();
    await page.locator('.completion').first().waitFor();
    times.push({ first, complete: performance.now() - began });
    await page.close();
  }
  await browser.close();
  return times;
}
