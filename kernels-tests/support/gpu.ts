/** Devices for tests: one per tier, opened on first use and shared by all test files. */
import { existsSync, readFileSync } from 'node:fs';
import type { Gpu, Tier } from '../../src/gpu/index.js';
import { type NodeOpenOptions, openGpu } from '../../src/platform/launcher/open.js';
import { Devices } from './devices.js';

const MOST_MAPPINGS = 30_000;

const devices = new Devices(openGpu);

/** The device of a tier (the adapter's best by default). */
export function testGpu(tier?: Tier, options: NodeOpenOptions = {}): Promise<Gpu> {
  return devices.get(tier, options);
}

/**
 * Closes all devices when they hold more than half of the memory mappings that Linux allows a process: on llvmpipe each bind
 * group that a device ever had at once takes one. The next file opens those that it needs.
 */
export async function closeLargeDevices(): Promise<void> {
  const maps = '/proc/self/maps';
  if (!existsSync(maps) || readFileSync(maps, 'utf8').split('\n').length < MOST_MAPPINGS) return;
  await devices.close();
}

/** The tiers that this machine's adapter offers (or the one that OSLER_TIER forces). */
export async function testTiers(): Promise<readonly Tier[]> {
  const { info, tier } = await testGpu();
  return process.env.OSLER_TIER ? [tier] : info.tiers;
}
