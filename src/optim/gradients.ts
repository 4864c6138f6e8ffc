/** What becomes of gradients between the backward pass and the update. */
import type { Gpu } from '../gpu/index.js';
import { accumulate, cast } from '../kernels/elementwise.js';
import { gradientNorm } from '../kernels/gradient-norm.js';
import { bytesOf, empty, type Tensor } from '../tensor/index.js';
import { type AdamWSlot, LEAST_8BIT } from './slot.js';

/**
 * `float32` keeps all gradients until the step. So does `bfloat16`, but rounds each as soon as a pass has finished it (small
 * weights excepted). `immediate` updates a weight as soon as its gradient is there, and keeps none.
 */
export type GradientHandling = 'float32' | 'bfloat16' | 'immediate';

/** Gradients rounded to bf16 while micro-batches add to them. */
export class RoundedGradients {
  readonly #held = new Map<AdamWSlot, Tensor>();

  /** Takes over the gradients of these weights as passes finish them. */
  watch(slots: readonly AdamWSlot[]): void {
    for (const slot of slots) {
      if (slot.param.size >= LEAST_8BIT) slot.param.onGradient = () => this.#take(slot);
    }
  }

  /** The gradient of a weight, if there is one. */
  of(slot: AdamWSlot): Tensor | undefined {
    return this.#held.get(slot);
  }

  /** Frees all. */
  clear(): void {
    for (const gradient of this.#held.values()) gradient.dispose();
    this.#held.clear();
  }

  #take(slot: AdamWSlot): void {
    const gradient = slot.param.grad as Tensor;
    slot.param.grad = null;
    const held = this.#held.get(slot);
    if (held) accumulate(held, gradient);
    else this.#held.set(slot, cast(gradient, 'bf16', 'gradients').keep());
    gradient.dispose();
  }
}

/** Norms of gradients that are gone by the time they are asked for, as a tensor of one number each. */
export class NormList {
  readonly #norms: Tensor;
  #count = 0;

  /** Room for so many. */
  constructor(gpu: Gpu, most: number) {
    this.#norms = empty(gpu, [most], { purpose: 'optimizer' }).keep();
  }

  /** Adds that of an f32 gradient; gives its control, which says whether it is finite. The caller frees it. */
  add(gradient: Tensor): Tensor {
    const control = gradientNorm([gradient]);
    const { buffer, offset } = this.#norms.range;
    const { range } = control;
    this.#norms.gpu.copy(
      { ...range, size: 4 },
      { buffer, offset: offset + bytesOf('f32', this.#count++), size: 4 },
    );
    return control;
  }

  /** All that were added since the last call, infinite where a gradient was not finite. */
  take(): Tensor | null {
    const count = this.#count;
    this.#count = 0;
    return count === 0 ? null : this.#norms.alias([count]);
  }

  /** Frees the room. */
  dispose(): void {
    this.#norms.dispose();
  }
}
