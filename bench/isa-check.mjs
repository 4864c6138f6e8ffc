/**
 * Compiles the hottest pipelines again as `osler bench --isa` does, and compares them with the committed table: fails on a
 * new spill, and over 10 % more registers, instructions in the main loop, or launches. Skips where there are no drivers.
 *
 *     npm run build && node bench/isa-check.mjs [chip..]        # navi31, apple and adreno by default
 *
 * After a change that is meant: `npm run bench -- --isa --out bench/results/isa/pipelines.json`.
 */
import { readFileSync } from 'node:fs';
import { compileFor } from '../dist/bench/instrument/isa.js';
import { regressions } from '../dist/bench/instrument/regressions.js';
import { nullDrivers } from '../dist/platform/launcher/null-gpu.js';

/** NAK prints 10 MB for a large kernel; with it the check takes minutes. */
const CHIPS = ['navi31', 'apple', 'adreno'];
const HOTTEST = 12;

const table = JSON.parse(readFileSync(new URL('results/isa/pipelines.json', import.meta.url), 'utf8'));
const chips =
  process.argv.length > 2
    ? process.argv.slice(2)
    : CHIPS.filter((chip) => table.chips.some((own) => own.chip === chip));
const drivers = findDrivers();
const started = performance.now();
const found = [];
for (const chip of drivers ? chips : []) {
  const [model] = table.models;
  const report = await compileFor(drivers, chip, { models: [model], benchmarks: false, hottest: HOTTEST });
  found.push(...regressions(table, report, model));
}
for (const line of found) console.error(`isa-check: ${line}`);
if (drivers) {
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`isa-check: ${found.length} regressions on ${chips.join(', ')}, ${seconds} s`);
}
if (found.length > 0) process.exitCode = 1;

function findDrivers() {
  try {
    return nullDrivers((line) => console.log(`isa-check: ${line}`));
  } catch (error) {
    console.log(`isa-check: skipped, since there are no drivers to compile with: ${error.message}`);
    return null;
  }
}
