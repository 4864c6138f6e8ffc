/** Opening a device from Node: Dawn, paced polling, and WGSL read from the package's `shaders/` folder. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Gpu, type OpenOptions } from '../../gpu/index.js';
import { stage } from './stages.js';
import { loadWebGpu } from './webgpu.js';

const SHADERS = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'shaders');

/** Options of {@link openGpu}; what is left out Node decides by itself. */
export type NodeOpenOptions = Partial<OpenOptions>;

/** Opens the best adapter; `OSLER_TIER` forces a feature tier. */
export async function openGpu(options: NodeOpenOptions = {}): Promise<Gpu> {
  const { gpu, pacer } = await stage('load', '', () => loadWebGpu());
  return Gpu.open({
    gpu,
    shaders: (path) => readFileSync(join(SHADERS, path), 'utf8'),
    tier: process.env.OSLER_TIER,
    onWait: pacer.wake,
    collectGarbage,
    ...options,
  });
}

/** Node hides its collector unless it was started with a flag; a context made after the flag is set has it. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
