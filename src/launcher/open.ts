/** Opening a device from Node: Dawn, paced polling, and WGSL read from the package's `shaders/` folder. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, globals } from 'webgpu';
import { Gpu, type OpenOptions } from '../gpu/index.js';

const SHADERS = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'shaders');
let dawn: GPU | null = null;

/** Options of {@link openGpu}; everything that Node does not decide by itself. */
export type NodeOpenOptions = Partial<Omit<OpenOptions, 'gpu' | 'shaders'>>;

/** Opens the best adapter; `OSLER_TIER` forces a feature tier. */
export async function openGpu(options: NodeOpenOptions = {}): Promise<Gpu> {
  if (!dawn) {
    Object.assign(globalThis, globals);
    dawn = create([
      'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
      'disable-dawn-features=timestamp_quantization',
    ]);
    Object.assign(globalThis, { oslerDawn: dawn });
  }
  return Gpu.open({
    gpu: dawn,
    shaders: (path) => readFileSync(join(SHADERS, path), 'utf8'),
    tier: process.env.OSLER_TIER,
    ...options,
  });
}
