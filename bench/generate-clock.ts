/** When the device works: timestamps around every compute pass, without changing how dispatches share passes. */
import type { Gpu } from '#osler/gpu/index.js';

/** A compute pass, in nanoseconds of the device's clock. */
export interface Pass {
  readonly begin: number;
  readonly end: number;
}

const PASSES = 2048;

/** Times the passes of a device from its making on; one per device. */
export class PassClock {
  readonly #gpu: Gpu;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;
  #used = 0;
  #on = false;

  /** The device must have timestamp-query. */
  constructor(gpu: Gpu) {
    const { device } = gpu;
    this.#gpu = gpu;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * PASSES });
    const buffer = (usage: number) => device.createBuffer({ size: 16 * PASSES, usage });
    this.#resolved = buffer(GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    this.#staging = buffer(GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    const create = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (descriptor) => {
      const encoder = create(descriptor);
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = (pass) =>
        begin(this.#on && this.#used < PASSES ? this.#stamped(pass) : pass);
      return encoder;
    };
  }

  /** Passes that `work` gives rise to, in order. */
  async during(work: () => Promise<unknown>): Promise<Pass[]> {
    await this.#gpu.sync();
    this.#used = 0;
    this.#on = true;
    await work();
    await this.#gpu.sync();
    this.#on = false;
    const { device } = this.#gpu;
    const size = 16 * this.#used;
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(this.#queries, 0, 2 * this.#used, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, size);
    device.queue.submit([encoder.finish()]);
    const mapped = this.#staging.mapAsync(GPUMapMode.READ, 0, size);
    await this.#gpu.sync();
    await mapped;
    const stamps = Array.from(new BigUint64Array(this.#staging.getMappedRange(0, size).slice(0)), Number);
    this.#staging.unmap();
    return Array.from({ length: this.#used }, (_, i) => ({ begin: stamps[2 * i], end: stamps[2 * i + 1] }));
  }

  #stamped(pass: GPUComputePassDescriptor = {}): GPUComputePassDescriptor {
    const first = 2 * this.#used++;
    const stamps = {
      querySet: this.#queries,
      beginningOfPassWriteIndex: first,
      endOfPassWriteIndex: first + 1,
    };
    return { ...pass, timestampWrites: stamps };
  }
}
