// Puts one Dawn instance where all contestants look for it: globals, and navigator.gpu.
import { availableParallelism } from 'node:os';
import { installPacing, watchWaits } from './pacing.mjs';

/**
 * @typedef {object} GpuContext
 * @property {GPU} gpu the one Dawn instance of the process; request adapters from it
 * @property {string} adapter the adapter in words
 */

/** Options for Dawn's `create`. All contestants get the same; `OSLER_DAWN` adds more, e.g. `adapter=NVIDIA`. */
export const DAWN_OPTIONS = ['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia'];

/** @returns {Promise<GpuContext>} */
export async function openGpu({ dawnOptions = DAWN_OPTIONS, pacing = { installPacing, watchWaits } } = {}) {
  pacing.installPacing();
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  pacing.watchWaits(globals);
  const extra = process.env.OSLER_DAWN ? process.env.OSLER_DAWN.split(';') : [];
  const gpu = create([...dawnOptions, ...extra]);
  globalThis.__benchGpu = gpu; // Dawn crashes when this object is collected.
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    writable: true,
    value: {
      gpu,
      userAgent: 'node',
      hardwareConcurrency: availableParallelism(),
      platform: process.platform,
      language: 'en',
    },
  });
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    throw new Error('no WebGPU adapter here: the peers need a GPU or a software driver such as lavapipe');
  const { vendor, architecture, device, description } = adapter.info;
  return { gpu, adapter: [description || device, vendor, architecture].filter(Boolean).join(', ') };
}
