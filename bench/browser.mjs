/**
 * Phases of a GRPO step in a tab of Chromium beside Node on the same adapter: the SwiftShader that this Chromium brings, so that
 * what differs is the browser. `node bench/browser.mjs [MODEL]`, after `npm run build`; MODEL is `tiny` by default. In turns, thrice.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { servePage } from '../dist/cli/page-server.js';
import { installedDrivers } from '../dist/platform/launcher/installed.js';
import { pageFiles } from '../scripts/lib/build-page.mjs';
import { findChromium, NO_CHROMIUM } from '../scripts/lib/chromium.mjs';

const TURNS = 3;
const CHROMIUM = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
];
const own = fileURLToPath(import.meta.url);
const [model = 'tiny', mode] = process.argv.slice(2);

/** The step that the page takes of this model: the shape is the page's. */
async function inNode() {
  const { ensureDriver, openGpu } = await import('../dist/index.js');
  const { measureStep } = await import('../dist/bench/instrument/measure-step.js');
  const { SMALL_STEP } = await import('../dist/bench/instrument/step.js');
  await ensureDriver();
  const gpu = await openGpu();
  const roofline = { f32: 1e9, f16: null, matrix: null, bandwidth: 1e9, dispatchMicroseconds: 1 };
  const shape = { ...SMALL_STEP, ...(model === 'tiny' ? { tokens: 8 } : {}) };
  const phases = await measureStep(gpu, { model, shape, roofline });
  await gpu.destroy();
  console.log(JSON.stringify(phases));
  process.exit(0);
}

function askNode() {
  const driver = installedDrivers().find(({ name }) => name.startsWith('SwiftShader'));
  if (!driver)
    throw new Error('no SwiftShader is installed that Node can use: install Chromium as a package');
  const { stdout, stderr, status } = spawnSync(process.execPath, [own, model, 'node'], {
    encoding: 'utf8',
    env: { ...process.env, ...driver.env, OSLER_DRIVER: 'system' },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function askTab(url, executablePath) {
  const browser = await chromium.launch({ executablePath, args: CHROMIUM });
  try {
    const page = await browser.newPage();
    await page.goto(`${url}?only=${model}`);
    await page.getByText('Check and measure').click();
    await page.getByText('Once more').waitFor({ timeout: 1_200_000 });
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByText('Download JSON').click(),
    ]);
    const { steps, notes } = JSON.parse(fs.readFileSync(await file.path(), 'utf8'));
    if (!steps[0]) throw new Error(`the page measured no step of ${model}: ${notes.join(' ')}`);
    return steps[0].phases;
  } finally {
    await browser.close();
  }
}

async function compare() {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(NO_CHROMIUM);
  const server = await servePage(await pageFiles(), 0);
  const turns = { node: [], tab: [] };
  for (let turn = 0; turn < TURNS; turn++) {
    turns.node.push(askNode());
    turns.tab.push(await askTab(server.url, executablePath));
  }
  await server.close();
  const median = (runs, phase) => {
    const found = runs.map((phases) => phases.find((p) => p.phase === phase).measuredSeconds);
    return found.sort((a, b) => a - b)[TURNS >> 1];
  };
  console.log('phase           node      tab   ratio');
  for (const { phase } of turns.node[0]) {
    const [node, tab] = [median(turns.node, phase), median(turns.tab, phase)];
    const cells = [node, tab].map((seconds) => `${(1000 * seconds).toFixed(1)} ms`.padStart(11));
    console.log(`${phase.padEnd(9)}${cells.join('')}${(tab / node).toFixed(2).padStart(8)}`);
  }
}

await (mode === 'node' ? inNode() : compare());
