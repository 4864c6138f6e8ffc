// The benchmark beside the peers. On its own: node bench/peers/run.mjs [--items a,b] [--contestants a,b] [--runs 7]
// [--budget 4] [--json file]. From elsewhere: runPeers().
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openGpu } from './gpu.mjs';
import { runContest } from './harness.mjs';
import { installPeers } from './install.mjs';
import { ITEMS } from './items.mjs';
import { formatTable, LEGEND } from './table.mjs';

/** Each opens lazily, since importing a peer before the GPU globals exist breaks it. */
const CONTESTANTS = {
  osler: async () => (await import('./osler.mjs')).osler(),
  raw: async () => (await import('./raw.mjs')).raw(),
  'jax-webgpu': async () => (await import('./jax.mjs')).jax('webgpu'),
  'tfjs-webgpu': async () => (await import('./tfjs.mjs')).tfjs('webgpu'),
  'ort-webgpu': async () => (await import('./ort.mjs')).ort('webgpu'),
  'jax-wasm': async () => (await import('./jax.mjs')).jax('wasm'),
  'tfjs-wasm': async () => (await import('./tfjs.mjs')).tfjs('wasm'),
  'ort-wasm': async () => (await import('./ort.mjs')).ort('wasm'),
};

/**
 * Installs the peers if they are missing, runs all, prints a table.
 * @param {{ items?: string[], contestants?: string[], minRuns?: number, budgetSeconds?: number, log?: (line: string) => void }} [options]
 * @returns {Promise<{ adapter: string, node: string, rows: import("./harness.mjs").Row[] }>}
 */
export async function runPeers({ items, contestants, minRuns, budgetSeconds, log = console.log } = {}) {
  const known = (name, names) => {
    if (!names.includes(name)) throw new Error(`unknown name '${name}', known: ${names.join(', ')}`);
  };
  for (const name of items ?? [])
    known(
      name,
      ITEMS.map((item) => item.name),
    );
  for (const name of contestants ?? []) known(name, Object.keys(CONTESTANTS));
  installPeers();
  const context = await openGpu();
  log(`adapter: ${context.adapter}`);
  const present = Object.keys(CONTESTANTS).filter(
    (name) => name !== 'osler' || existsSync(new URL('./osler.mjs', import.meta.url)),
  );
  const entered = [];
  for (const name of contestants ?? present) {
    try {
      const contestant = await CONTESTANTS[name]();
      await contestant.setup(context);
      entered.push(contestant);
    } catch (error) {
      log(`${name} cannot take part: ${error.message}`);
    }
  }
  const chosen = ITEMS.filter(({ name }) => !items || items.includes(name));
  const rows = await runContest(entered, {
    items: chosen,
    minRuns,
    budgetSeconds,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  for (const contestant of entered) await contestant.teardown();
  log(`${formatTable(rows)}\n${LEGEND}`);
  return { adapter: context.adapter, node: process.version, rows };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      items: { type: 'string' },
      contestants: { type: 'string' },
      runs: { type: 'string', default: '7' },
      budget: { type: 'string', default: '4' },
      json: { type: 'string' },
    },
  });
  const outcome = await runPeers({
    items: values.items?.split(','),
    contestants: values.contestants?.split(','),
    minRuns: Number(values.runs),
    budgetSeconds: Number(values.budget),
  });
  if (values.json) writeFileSync(values.json, `${JSON.stringify(outcome, null, 1)}\n`);
  process.exit(0); // Dawn and WASM workers may keep the process alive
}
