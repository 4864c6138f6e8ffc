/** Runs the kernel benchmarks, and the peers beside them when asked; `osler bench` is the front end. */
import { readdirSync, writeFileSync } from 'node:fs';
import { UsageError } from '#osler/cli/common.js';
import { openDevice } from '#osler/cli/device.js';
import { chromeTrace, type Gpu, summarise } from '#osler/gpu/index.js';
import { measureRoofline } from '#osler/kernels/roofline.js';
import { ensureDriver } from '#osler/platform/launcher/launch.js';
import type { BenchCase } from './case.js';
import { type BenchRow, measure, tune } from './measure.js';

/** Options of `osler bench`. */
export interface BenchOptions {
  /** Only cases whose "family name shape" contains this. */
  readonly filter?: string;
  readonly json: boolean;
  /** Write the rows, with the adapter and the roofline, to this file. */
  readonly out?: string;
  /** Write a Chrome trace of one run of each case to this file. */
  readonly profile?: string;
}

/** Measures the chosen cases and prints them. */
export async function runBench(options: BenchOptions): Promise<void> {
  const chosen = await loadCases(options.filter);
  if (chosen.length === 0) {
    throw new UsageError(`no kernel benchmark contains "${options.filter}"; run without --filter to see all`);
  }
  await ensureDriver();
  const gpu = await openDevice();
  const cases = chosen.filter((bench) => bench.available?.(gpu) ?? true);
  if (cases.length === 0)
    throw new Error(`${gpu.info.name} has none of the features that "${options.filter}" needs`);
  const roofline = await measureRoofline(gpu);
  const log = (line: string) => options.json || console.log(line);
  log(`adapter    ${gpu.info.name}, ${gpu.info.driver}, tier ${gpu.tier}`);
  log(
    `roofline   f32 ${giga(roofline.f32)} GFLOP/s, f16 ${giga(roofline.f16)}, matrix ${giga(roofline.matrix)}, ` +
      `copy ${giga(roofline.bandwidth)} GB/s, ${roofline.dispatchMicroseconds.toFixed(1)} us per dispatch`,
  );
  log(header());
  const rows: BenchRow[] = [];
  for (const bench of cases) {
    await tune(gpu, bench);
    const row = await measure(gpu, bench, roofline);
    rows.push(row);
    log(line(row));
  }
  const result = {
    date: new Date().toISOString(),
    adapter: gpu.info,
    tier: gpu.tier,
    node: process.version,
    roofline,
    rows,
  };
  if (options.profile) await profile(gpu, cases, options.profile, log);
  if (options.json) console.log(JSON.stringify(result, null, 2));
  if (options.out) writeFileSync(options.out, `${JSON.stringify(result, null, 2)}\n`);
  await gpu.destroy();
}

/** All benchmarks whose "family name shape" contains a text. */
export async function loadCases(filter = ''): Promise<BenchCase[]> {
  const folder = new URL('.', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.bench.js'));
  const cases: BenchCase[] = [];
  for (const file of files.sort()) {
    const family = file.replace('.bench.js', '');
    const module = (await import(new URL(file, folder).href)) as { default: readonly BenchCase[] };
    cases.push(...module.default.filter((c) => `${family} ${c.name} ${c.shape}`.includes(filter)));
  }
  return cases;
}

async function profile(
  gpu: Gpu,
  cases: readonly BenchCase[],
  file: string,
  log: (line: string) => void,
): Promise<void> {
  gpu.startProfile();
  for (const bench of cases) {
    const instance = await bench.setup(gpu);
    instance.run();
    await gpu.sync();
    instance.dispose();
  }
  const events = await gpu.stopProfile();
  writeFileSync(file, chromeTrace(events, gpu.info.name));
  for (const { kernel, count, totalMs } of summarise(events))
    log(`${totalMs.toFixed(3)} ms  ${count} x  ${kernel}`);
}

const giga = (value: number | null) => (value === null ? 'n/a' : (value / 1e9).toFixed(1));

function header(): string {
  return `${'kernel'.padEnd(34)}${'shape'.padEnd(34)}${'ms'.padStart(10)}${'GFLOP/s'.padStart(10)}${'GB/s'.padStart(9)}${'% roof'.padStart(8)}`;
}

function line(row: BenchRow): string {
  const cells = [
    row.ms.toFixed(3).padStart(10),
    row.gflops.toFixed(1).padStart(10),
    row.gbs.toFixed(2).padStart(9),
  ];
  return `${row.name.padEnd(34)}${row.shape.padEnd(34)}${cells.join('')}${row.roofPercent.toFixed(0).padStart(8)}`;
}
