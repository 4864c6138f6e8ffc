// Runs contestants side by side in one process on one adapter, and times and checks them.
import { othersBusy, startWatch } from './disturbance.mjs';
import { quantiles } from './statistics.mjs';

/**
 * @typedef {import("./items.mjs").Item} Item
 * @typedef {object} Session one item, ready to run on one contestant
 * @property {() => void | Promise<void>} run queues one op or training step; never reads back
 * @property {() => Promise<void>} wait resolves when all queued work is done
 * @property {() => Promise<Float32Array>} result the last run's result (training: see trainingResult in items.mjs)
 * @property {() => void | Promise<void>} dispose
 *
 * @typedef {object} Contestant
 * @property {string} name
 * @property {"webgpu" | "wasm" | "cpu"} kind
 * @property {boolean} peer whether others are compared with it
 * @property {(context: import("./gpu.mjs").GpuContext) => Promise<void>} setup
 * @property {() => void | Promise<void>} [activate] called, untimed, each time its turn begins
 * @property {Record<string, (item: Item) => Promise<Session>>} items unsupported items are absent
 * @property {() => void | Promise<void>} teardown
 *
 * @typedef {{ median: number, p10: number, p90: number, n: number }} Timing milliseconds per op or step
 * @typedef {object} Row
 * @property {string} item
 * @property {string} contestant
 * @property {string} kind
 * @property {boolean} peer
 * @property {"ok" | "wrong" | "failed"} status
 * @property {string} [message] why it failed
 * @property {number} [error] worst check, relative; see items.mjs
 * @property {number} [firstMs] session set-up (uploads, compilation) and first run
 * @property {Timing} [single] one op, then waited for
 * @property {Timing} [queued] several queued back to back, then awaited once
 * @property {number} [burst] how many were queued
 * @property {number} [disturbed] turns in the timings that other processes disturbed: the least disturbed ones count
 * @property {number} [gflops] from the better of the two medians
 * @property {number} [gbps]
 * @property {number} [vsWebgpu] speed relative to the fastest WebGPU peer: 2 is twice as fast
 * @property {number} [vsWasm] speed relative to the fastest WASM peer
 */

const WARM_UPS = 2;
const QUEUED_MS = 120; // what a burst should last
const MOST_QUEUED = 24;
const DISTURBED = 0.15; // of all cores
const MOST_RETRIES = 3;

/**
 * @param {Contestant[]} contestants already set up
 * @param {{ items: Item[], minRuns?: number, budgetSeconds?: number, log?: (line: string) => void }} options
 *   `budgetSeconds` is per item and contestant; `minRuns` is kept even when it does not fit
 * @returns {Promise<Row[]>}
 */
export async function runContest(contestants, { items, minRuns = 7, budgetSeconds = 4, log = () => {} }) {
  const rows = [];
  for (const item of items) {
    const entries = [];
    for (const contestant of contestants) {
      if (!contestant.items[item.name]) continue;
      log(`${item.name}: ${contestant.name}`);
      entries.push(await enter(contestant, item));
    }
    await timeInterleaved(
      entries.filter(({ row }) => row.status === 'ok'),
      minRuns,
      budgetSeconds,
    );
    for (const entry of entries) {
      if (entry.row.status === 'ok') await recheck(entry).catch((error) => fail(entry.row, error));
      await entry.session?.dispose();
    }
    compare(entries.map(({ row }) => row));
    rows.push(...entries.map(({ row }) => row));
  }
  return rows;
}

/** Opens a session: first call, warm-ups, checks. */
async function enter(contestant, item) {
  const { name, kind, peer } = contestant;
  /** @type {Row} */
  const row = { item: item.name, contestant: name, kind, peer, status: 'ok' };
  const entry = { contestant, item, row, session: undefined, turns: [] };
  try {
    await contestant.activate?.();
    const start = performance.now();
    entry.session = await contestant.items[item.name](item);
    await once(entry.session);
    row.firstMs = performance.now() - start;
    let fastest = Infinity;
    for (let step = 1; step <= WARM_UPS + 1; step++) {
      if (step > 1) fastest = Math.min(fastest, await once(entry.session));
      await check(entry, step);
    }
    entry.estimate = fastest;
  } catch (error) {
    fail(row, error);
  }
  return entry;
}

function fail(row, error) {
  row.status = 'failed';
  row.message = String(error?.message ?? error).split('\n')[0];
}

async function check({ session, item, row }, step) {
  if (item.kind === 'train' ? !item.checkedSteps.includes(step) : step > 1) return;
  const { error, limit } = item.check(await session.result(), step);
  row.error = Math.max(row.error ?? 0, error);
  if (!(error <= limit)) row.status = 'wrong';
}

/** After the timing: an op still gives the same numbers, a training loss is still a number. */
async function recheck({ session, item, row }) {
  const result = await session.result();
  const { error, limit } = item.kind === 'op' ? item.check(result) : { error: result[0] * 0, limit: 0 };
  if (!(error <= limit)) row.status = 'wrong';
}

/** One op, then waited for; milliseconds. */
async function once(session) {
  return burst(session, 1);
}

async function burst(session, count) {
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const queued = session.run();
    if (queued) await queued;
  }
  await session.wait();
  return (performance.now() - start) / count;
}

/** Rounds in which each contestant has a turn: some single ops, then one burst. */
async function timeInterleaved(entries, minRuns, budgetSeconds) {
  for (const entry of entries) {
    const ms = Math.max(entry.estimate, 0.02);
    entry.row.burst = Math.min(MOST_QUEUED, Math.max(2, Math.round(QUEUED_MS / ms)));
    const wanted = (budgetSeconds * 1000) / 2 / ms / minRuns;
    entry.singlesPerTurn = Math.max(1, Math.min(8, Math.floor(wanted)));
  }
  for (let round = 0; round < minRuns + MOST_RETRIES; round++) {
    for (const entry of entries) {
      const clean = entry.turns.filter(({ others }) => others <= DISTURBED).length;
      if (clean >= minRuns || entry.row.status !== 'ok') continue;
      await turn(entry).catch((error) => fail(entry.row, error));
    }
  }
  for (const entry of entries) finish(entry, minRuns);
}

async function turn({ contestant, session, singlesPerTurn, row, turns }) {
  await contestant.activate?.();
  if (row.burst > 4) await once(session); // caches hold the last contestant's data: not timed
  const watch = startWatch();
  const singles = [];
  for (let i = 0; i < singlesPerTurn; i++) singles.push(await once(session));
  const queued = await burst(session, row.burst);
  turns.push({ singles, queued, others: othersBusy(watch) });
}

function finish({ row, item, turns }, minRuns) {
  if (row.status !== 'ok') return;
  const used = turns.toSorted((a, b) => a.others - b.others).slice(0, minRuns);
  row.disturbed = used.filter(({ others }) => others > DISTURBED).length;
  row.single = quantiles(used.flatMap(({ singles }) => singles));
  row.queued = quantiles(used.map(({ queued }) => queued));
  const best = Math.min(row.single.median, row.queued.median);
  row.gflops = item.flops / best / 1e6;
  if (item.bytes) row.gbps = item.bytes / best / 1e6;
}

/** Compares the better of the two medians with the fastest peer of each kind. */
function compare(rows) {
  const best = ({ single, queued }) => Math.min(single.median, queued.median);
  const timed = rows.filter(({ status }) => status === 'ok');
  const fastest = (kind) => Math.min(...timed.filter((row) => row.peer && row.kind === kind).map(best));
  const [webgpu, wasm] = [fastest('webgpu'), fastest('wasm')];
  for (const row of timed) {
    if (Number.isFinite(webgpu)) row.vsWebgpu = webgpu / best(row);
    if (Number.isFinite(wasm)) row.vsWasm = wasm / best(row);
  }
}
