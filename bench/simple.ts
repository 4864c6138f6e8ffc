/** The common shape of a benchmark: a few inputs, one launch. */
import type { Gpu } from '#osler/gpu/index.js';
import { randomNormal } from '#osler/kernels/random.js';
import type { Tensor } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

/** What a case costs: arithmetic, and elements of four bytes read and written. */
export interface Cost {
  readonly flops: number;
  readonly elements: number;
}

/** A case that makes its inputs with `make` and launches `run` on them. */
export function simple<T extends Tensor[]>(
  name: string,
  shape: readonly number[],
  cost: Cost,
  make: (gpu: Gpu) => [...T],
  run: (...inputs: T) => unknown,
): BenchCase {
  return {
    name,
    shape: shape.join(' x '),
    flops: cost.flops,
    bytes: 4 * cost.elements,
    setup(gpu) {
      const inputs = make(gpu);
      return { run: () => void run(...inputs), dispose: () => disposeAll(...inputs) };
    },
  };
}

/** Normal numbers. */
export function normal(gpu: Gpu, ...shape: number[]): Tensor {
  return randomNormal(gpu, shape, { seed: 1, stream: shape.length, step: 0 });
}
