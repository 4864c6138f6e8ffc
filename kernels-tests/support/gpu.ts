/** Devices for tests: one per tier, opened on first use and shared by all test files. */
import { existsSync, readFileSync } from 'node:fs';
import type { Gpu, Tier } from '../../src/gpu/index.js';
import { type NodeOpenOptions, openGpu } from '../../src/platform/launcher/open.js';

const MOST_MAPPINGS = 30_000;

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

/**
 * Closes all devices when they hold more than half of the memory mappings that Linux allows a process: on llvmpipe each bind
 * group that a device ever had at once takes one. The next file opens those that it needs.
 */
export async function closeLargeDevices(): Promise<void> {
  const maps = '/proc/self/maps';
  if (!existsSync(maps) || readFileSync(maps, 'utf8').split('\n').length < MOST_MAPPINGS) return;
  const devices = [...opened.values()];
  opened.clear();
  for (const device of devices) await (await device).destroy();
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
