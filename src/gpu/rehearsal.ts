/**
 * A device that executes nothing and counts memory: buffers have sizes but no bytes, and commands are dropped. Whatever runs
 * on it takes and frees what it would take and free on a real device, so that plans and inventories come from the code
 * that does the work and cannot drift away from it.
 */
import type { AdapterInfo, Tier } from './adapter.js';
import { OslerError } from './errors.js';
import { Gpu } from './gpu.js';
import type { PoolBuffer } from './pool.js';
import type { Template } from './template.js';

/** What kernels choose their variants by; an open {@link Gpu} has it. */
export interface DeviceTraits {
  readonly info: AdapterInfo;
  readonly tier: Tier;
  readonly limits: GPUSupportedLimits;
  readonly maxBindingBytes: number;
  readonly bindingAlignment: number;
  readonly device: Pick<GPUDevice, 'features'>;
}

const BOUNDLESS = Number.MAX_SAFE_INTEGER;

/** Hardware that binds whatever there is, for whoever has no device at hand. */
export const ANY_GPU: DeviceTraits = {
  info: {
    name: 'any GPU',
    vendor: '',
    architecture: '',
    driver: '',
    software: false,
    features: [],
    subgroupSize: null,
    matrixConfigs: [],
    tiers: ['base'],
  },
  tier: 'base',
  limits: {
    maxStorageBufferBindingSize: BOUNDLESS,
    minStorageBufferOffsetAlignment: 16,
    maxComputeWorkgroupsPerDimension: 65535,
    maxComputeWorkgroupStorageSize: 32768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
  } as GPUSupportedLimits,
  maxBindingBytes: BOUNDLESS,
  bindingAlignment: 16,
  device: { features: new Set() },
};

/** See above. Buffers may be of any size, so that whoever asked can say what is too large. */
export class Rehearsal extends Gpu {
  readonly #count: 'launches' | 'memory';

  /**
   * Stands for a device with these traits; for any hardware by default. Where memory alone counts, layers that are alike
   * are taken as one, in a fraction of the time.
   */
  constructor(traits: DeviceTraits = ANY_GPU, count: 'launches' | 'memory' = 'launches') {
    super({ adapter: {} as GPUAdapter, info: traits.info }, traits.tier, silentDevice(traits), {
      gpu: {} as GPU,
      shaders: () => '',
      maxBindingBytes: traits.maxBindingBytes,
      bindingAlignment: traits.bindingAlignment,
      software: traits.info.software,
    });
    this.#count = count;
  }

  /** Drops the kernel. */
  override launch(..._: Parameters<Gpu['launch']>): void {}

  /** Keeps what `body` allocates and frees; launches are dropped and cannot be done again for whoever counts them. */
  override capture<T>(
    operands: readonly PoolBuffer[],
    body: () => T,
    results: (result: T) => readonly (PoolBuffer | null)[],
  ): { result: T; template: Template | null } {
    return this.#count === 'memory'
      ? super.capture(operands, body, results)
      : { result: body(), template: null };
  }

  /** Drops the copy. */
  override copy(): void {}

  /** Drops the command. */
  override clear(): void {}

  /** Drops the data. */
  override write(): void {}

  /** There is nothing to wait for. */
  override async sync(): Promise<void> {}

  /** Refuses: nothing was computed. */
  override async read(..._: Parameters<Gpu['read']>): Promise<ArrayBuffer> {
    throw new OslerError('value', 'a rehearsal computes nothing, so nothing can be read from it');
  }
}

/** As much of a device as one is asked for that never gets a command. */
function silentDevice({ limits, device: { features } }: DeviceTraits): GPUDevice {
  // The limits of a device are getters of its prototype, which a spread does not copy.
  const own: Record<string, unknown> = {};
  for (const name in limits) own[name] = limits[name as keyof GPUSupportedLimits];
  const silent = {
    limits: { ...own, maxBufferSize: BOUNDLESS, maxImmediateSize: 64 },
    features,
    lost: new Promise<never>(() => {}),
    addEventListener: () => {},
    pushErrorScope: () => {},
    popErrorScope: async () => null,
    createBuffer: () => ({ destroy: () => {} }),
  };
  return silent as unknown as GPUDevice;
}
