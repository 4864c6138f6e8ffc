/** Devices for kernel tests in a tab; bundled in the place of kernels-tests/support/gpu.ts. */
import { Devices } from '../../kernels-tests/support/devices.js';
import type { Gpu, Tier } from '../../src/gpu/index.js';
import { type BrowserOpenOptions, openGpu } from '../../src/platform/browser/open.js';

const devices = new Devices(openGpu);

/** The device of a tier (the adapter's best by default). */
export function testGpu(tier?: Tier, options: BrowserOpenOptions = {}): Promise<Gpu> {
  return devices.get(tier, options);
}

/** The tiers that the adapter offers. */
export async function testTiers(): Promise<readonly Tier[]> {
  return (await testGpu()).info.tiers;
}

/** Closes all devices: what the tests of a file leave behind is not the next file's. */
export function closeDevices(): Promise<void> {
  return devices.close();
}
