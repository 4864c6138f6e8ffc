/** WebGPU for Node: Dawn through npm's `webgpu`, with the settings that Osler runs under. */
import { create, globals } from 'webgpu';
import { OslerError } from '../../gpu/index.js';
import { withMatrices } from './backends.js';
import { installPacing, PACE_HARDWARE, PACE_SOFTWARE, type Pacer } from './pacing.js';
import { stage } from './stages.js';
import { DAWN_NOISE, withoutLines } from './stderr.js';

/** Dawn, loaded. */
export interface WebGpu {
  readonly gpu: GPU;
  /** A second instance for the same GPUs, on Windows. */
  readonly vulkan: GPU | null;
  /** How this process came to its driver, for reports. */
  readonly description: string;
  /** Call `wake` where a wait begins that Dawn's own methods do not see. */
  readonly pacer: Pacer;
}

/** Dawn's toggles, beyond those that Osler always sets. */
export interface WebGpuOptions {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

/** `allow_unsafe_apis` opens subgroup matrices; Dawn keeps f16 off on NVIDIA unless asked. */
const ENABLE = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];
/**
 * Timestamps would be rounded to 65 µs. Workgroup memory is cleared by Dawn's loop instead of by the driver: SwiftShader makes an
 * instruction of each cleared word, and takes seconds to compile what takes a tenth of that so. Robustness stays on: without it
 * an index out of bounds is undefined behaviour.
 */
const DISABLE = ['timestamp_quantization', 'use_vulkan_zero_initialize_workgroup_memory_extension'];

const KEPT = Symbol.for('osler.webgpu');
type Keeper = { [KEPT]?: WebGpu };

/**
 * Loads Dawn, once per thread: later calls return what the first one made. Puts the WebGPU classes and constants
 * (`GPUBufferUsage`, ...) into the global scope, where browsers have them. `OSLER_ADAPTER=<part of a name>` chooses among
 * several adapters.
 */
export function loadWebGpu(options: WebGpuOptions = {}): WebGpu {
  const keeper = globalThis as Keeper;
  // In the global scope for good: Node crashes when what create() returned is collected while a device lives.
  keeper[KEPT] ??= load(options);
  return keeper[KEPT];
}

function load(options: WebGpuOptions): WebGpu {
  const enable = [...ENABLE, ...(options.enable ?? [])];
  const disable = [...DISABLE, ...(options.disable ?? [])];
  const flags = [`enable-dawn-features=${enable.join(',')}`, `disable-dawn-features=${disable.join(',')}`];
  const adapterName = process.env.OSLER_ADAPTER;
  if (adapterName) flags.push(`adapter=${adapterName}`);
  Object.assign(globalThis, globals);
  const gpu = create(flags);
  // Kept for good, as the first one is.
  const vulkan = process.platform === 'win32' ? create([...flags, 'backend=vulkan']) : null;
  const pacer = installPacing(globals, PACE_SOFTWARE);
  tuneToAdapter(gpu, vulkan, pacer);
  return { gpu, vulkan, description: describe(), pacer };
}

/** Which pace is right is known when an adapter has been chosen. */
function tuneToAdapter(gpu: GPU, vulkan: GPU | null, pacer: Pacer): void {
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const first = () => requestAdapter(options);
    const chosen = vulkan ? () => withMatrices(first, () => vulkan.requestAdapter(options)) : first;
    const ask = () => withoutLines(DAWN_NOISE, chosen);
    const adapter = await stage('adapter', describe(), ask).catch((error: Error) => {
      throw noSuchAdapter(error);
    });
    if (!adapter) return null;
    pacer.tune(adapter.info.isFallbackAdapter ? PACE_SOFTWARE : PACE_HARDWARE);
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = (descriptor) => stage('device', describe(), () => requestDevice(descriptor));
    return adapter;
  };
}

/** Dawn throws only where `OSLER_ADAPTER` fits nothing, and lists what there is. */
function noSuchAdapter(error: Error): Error {
  const names = [...error.message.matchAll(/name: '(.*)'/g)].map(([, name]) => name);
  const wanted = process.env.OSLER_ADAPTER;
  if (!wanted || names.length === 0) return error;
  return new OslerError(
    'value',
    `OSLER_ADAPTER is "${wanted}", which is part of no adapter's name; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`,
  );
}

function describe(): string {
  const [step, folder] = (process.env.OSLER_LAUNCHED ?? '').split(/:(.*)/s);
  switch (step) {
    case 'private':
      return `private software driver in ${folder}`;
    case 'private-loader':
      return `the machine's own driver, through the Vulkan loader in ${folder}`;
    case 'installed':
      return `the machine's software driver ${process.env.VK_DRIVER_FILES}`;
    default:
      return "the machine's own driver";
  }
}
