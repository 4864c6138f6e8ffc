/** The device that a command works on: the best adapter, with the kernel choices that were measured on it before. */
import type { Gpu } from '../gpu/index.js';
import { attachTuner, Tuner } from '../kernels/tuner.js';
import { type AdapterMemory, memoryOf } from '../platform/cards.js';
import { port } from '../platform/current.js';
import { openGpu } from '../platform/launcher/open.js';
import { tunerEnabled, tunerFile } from '../platform/launcher/tuner-file.js';
import { OSLER_VERSION } from '../platform/version.js';

/** Options of {@link openDevice}. */
export interface DeviceOptions {
  /** Feature tier of the kernels; the best by default. */
  readonly tier?: string | undefined;
}

/** Opens the device, for which `ensureDriver` has seen to a driver. `OSLER_TUNER=off` leaves the rules of thumb alone. */
export async function openDevice(options: DeviceOptions = {}): Promise<Gpu> {
  const gpu = await openGpu(options.tier ? { tier: options.tier } : {});
  const tuner = new Tuner(gpu, { store: tunerFile(gpu.info, OSLER_VERSION) });
  if (tunerEnabled()) await tuner.load();
  else tuner.freeze();
  attachTuner(gpu, tuner);
  return gpu;
}

/** Memory of the device; undefined where nothing on the machine tells. */
export function deviceMemory(gpu: Gpu): Promise<AdapterMemory | undefined> {
  return memoryOf(gpu.info, port('cards'));
}
