/** Time of the parts of a step. */
import type { Gpu } from '../gpu/index.js';

/** Adds up seconds by phase. */
export class Clock {
  readonly #gpu: Gpu;
  #seconds = new Map<string, number>();

  /** Times work on a device. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Runs `body`, waits for the device, and books the time. */
  async phase<T>(name: string, body: () => T | Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      const result = await body();
      await this.#gpu.sync();
      return result;
    } finally {
      this.#seconds.set(name, (this.#seconds.get(name) ?? 0) + (performance.now() - start) / 1000);
    }
  }

  /** Seconds since the last call, as metrics. */
  take(): Record<string, number> {
    const taken = Object.fromEntries([...this.#seconds].map(([name, s]) => [`time/${name}`, s]));
    this.#seconds = new Map();
    return taken;
  }
}

/** Metrics that say how a machine fared or what was found on it, not what was computed: two equal runs differ in them. */
export function isMachineMetric(name: string): boolean {
  return /^(time\/|memory\/|vision\/|cluster\/|step_time$|tokens_per_second$)/.test(name);
}
