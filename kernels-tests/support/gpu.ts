/** Devices for tests: one per tier, opened on first use and shared by all test files. */
import type { Gpu, Tier } from '../../src/gpu/index.js';
import { type NodeOpenOptions, openGpu } from '../../src/launcher/open.js';

const opened = new Map<string, Promise<Gpu>>();

/** The device of a tier (the adapter's best by default). */
export function testGpu(tier?: Tier, options: NodeOpenOptions = {}): Promise<Gpu> {
  const key = JSON.stringify([tier ?? null, options]);
  let gpu = opened.get(key);
  if (!gpu) {
    gpu = open(tier ? { tier, ...options } : options);
    opened.set(key, gpu);
  }
  return gpu;
}

/** Small limits are meant for the alignment of llvmpipe; where bindings start further apart, less would hold no windows. */
async function open(options: NodeOpenOptions): Promise<Gpu> {
  const { maxBindingBytes } = options;
  if (maxBindingBytes === undefined || options.bindingAlignment) return openGpu(options);
  const { bindingAlignment } = await testGpu();
  return openGpu({ ...options, maxBindingBytes: maxBindingBytes * Math.max(1, bindingAlignment / 16) });
}

/** The tiers that this machine's adapter offers (or the one that OSLER_TIER forces). */
export async function testTiers(): Promise<readonly Tier[]> {
  const { info, tier } = await testGpu();
  return process.env.OSLER_TIER ? [tier] : info.tiers;
}
