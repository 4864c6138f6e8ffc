/** Devices that tests share, wherever they run. */
import type { Gpu, OpenOptions } from '../../src/gpu/index.js';

/** One device for each set of options, opened on first use. */
export class Devices {
  readonly #open: (options: Partial<OpenOptions>) => Promise<Gpu>;
  readonly #opened = new Map<string, Promise<Gpu>>();

  constructor(open: (options: Partial<OpenOptions>) => Promise<Gpu>) {
    this.#open = open;
  }

  /** The device of a tier (the adapter's best by default). */
  get(tier?: string, options: Partial<OpenOptions> = {}): Promise<Gpu> {
    const key = JSON.stringify([tier ?? null, options]);
    let gpu = this.#opened.get(key);
    if (!gpu) {
      gpu = this.#make(tier ? { tier, ...options } : options);
      this.#opened.set(key, gpu);
    }
    return gpu;
  }

  /** Closes all that are open. */
  async close(): Promise<void> {
    const devices = [...this.#opened.values()];
    this.#opened.clear();
    for (const device of devices) await (await device).destroy();
  }

  /** Small limits are meant for the alignment of llvmpipe; where bindings start further apart, less would hold no windows. */
  async #make(options: Partial<OpenOptions>): Promise<Gpu> {
    const { maxBindingBytes } = options;
    if (maxBindingBytes === undefined || options.bindingAlignment) return this.#open(options);
    const { bindingAlignment } = await this.get();
    return this.#open({ ...options, maxBindingBytes: maxBindingBytes * Math.max(1, bindingAlignment / 16) });
  }
}
