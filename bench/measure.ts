/** Timing a case: warm-up, then batches long enough for the clock, best reported by the median. */
import type { Gpu } from '#osler/gpu/index.js';
import type { Roofline } from '#osler/kernels/roofline.js';
import { tunerFor } from '#osler/kernels/tuner.js';
import { scope } from '#osler/tensor/index.js';
import type { BenchCase } from './case.js';

/** One measured row. */
export interface BenchRow {
  readonly name: string;
  readonly shape: string;
  /** Median milliseconds per run, in batches awaited once. */
  readonly ms: number;
  readonly p10: number;
  readonly p90: number;
  /** Milliseconds of the very first run: compiling included. */
  readonly firstMs: number;
  readonly gflops: number;
  readonly gbs: number;
  /** Share of what the measured roof allows at these FLOPs and bytes. */
  readonly roofPercent: number;
}

const SAMPLES = 9;
const BATCH_MS = 25;

/** Lets the tuner see the case's shapes once and choose its variants before anything is timed. */
export async function tune(gpu: Gpu, bench: BenchCase): Promise<void> {
  const instance = await bench.setup(gpu);
  instance.run();
  await gpu.sync();
  instance.dispose();
  await tunerFor(gpu).tune();
}

/** Times one case. */
export async function measure(gpu: Gpu, bench: BenchCase, roofline: Roofline): Promise<BenchRow> {
  const instance = await bench.setup(gpu);
  try {
    await gpu.sync();
    const once = () => timeBatch(gpu, () => instance.run(), 1);
    const firstMs = await once();
    const second = await once();
    const count = Math.max(1, Math.min(1000, Math.round(BATCH_MS / second)));
    const samples: number[] = [];
    for (let i = 0; i < SAMPLES; i++)
      samples.push((await timeBatch(gpu, () => instance.run(), count)) / count);
    samples.sort((a, b) => a - b);
    const at = (q: number) => samples[Math.round(q * (samples.length - 1))];
    const seconds = at(0.5) / 1000;
    const peak = roofline[bench.roof ?? 'f32'] ?? roofline.f32;
    const floor = Math.max(bench.flops / peak, bench.bytes / roofline.bandwidth);
    return {
      name: bench.name,
      shape: bench.shape,
      ms: at(0.5),
      p10: at(0.1),
      p90: at(0.9),
      firstMs,
      gflops: bench.flops / seconds / 1e9,
      gbs: bench.bytes / seconds / 1e9,
      roofPercent: (100 * floor) / seconds,
    };
  } finally {
    instance.dispose();
  }
}

async function timeBatch(gpu: Gpu, run: () => void, count: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    scope(() => {
      run();
    });
  }
  await gpu.sync();
  return performance.now() - start;
}
