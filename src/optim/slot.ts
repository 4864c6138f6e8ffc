/** What an optimizer keeps for one weight. */
import type { Gpu } from '../gpu/index.js';
import { cast } from '../kernels/elementwise.js';
import { zeroMoments } from '../kernels/moments.js';
import { scope, type Tensor, zeros } from '../tensor/index.js';

/**
 * Optimizers: `adamw_torch` has moments in f32 and an f32 master of each 16-bit weight; `adamw_8bit` has moments in 8 bits;
 * `adamw_bf16` has them too, and bf16 weights without a master, rounded at random.
 */
export const OPTIMIZERS = ['adamw_torch', 'adamw_8bit', 'adamw_bf16'] as const;

/** See {@link OPTIMIZERS}. */
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** Weights with fewer elements are kept as `adamw_torch` keeps them, as in bitsandbytes: they take no memory, and are delicate. */
export const LEAST_8BIT = 4096;

/** Moments of a weight: two f32 tensors of its shape, or one of blocks in 8 bits (`src/kernels/moments.ts`). */
export type Moments = { readonly m: Tensor; readonly v: Tensor } | { readonly moments: Tensor };

/** What one weight has in the optimizer. */
export interface AdamWSlot {
  readonly name: string;
  readonly param: Tensor;
  /** Exact value of a 16-bit weight; null where the weight is exact itself. */
  readonly master: Tensor | null;
  readonly moments: Moments;
  /** Updates so far; weights that a batch does not reach are not updated by it, as in PyTorch. */
  steps: number;
}

/** Allocates the state of a weight, as it is before the first step. */
export function newSlot(gpu: Gpu, name: string, param: Tensor, optimizer: OptimizerName): AdamWSlot {
  const small = param.size < LEAST_8BIT;
  const exact = param.dtype === 'f32' || (optimizer === 'adamw_bf16' && param.dtype === 'bf16' && !small);
  let master: Tensor | null = null;
  if (!exact) {
    master = scope(() => cast(param, 'f32').keep());
    gpu.relabel(master.storage.buffer, 'optimizer');
  }
  const moment = () => zeros(gpu, param.shape, { purpose: 'optimizer' }).keep();
  const moments: Moments =
    optimizer === 'adamw_torch' || small
      ? { m: moment(), v: moment() }
      : { moments: zeroMoments(gpu, param.size).keep() };
  return { name, param, master, moments, steps: 0 };
}

/** The tensors of a slot by the names that checkpoints give them. */
export function slotTensors({ master, moments }: AdamWSlot): Readonly<Record<string, Tensor>> {
  return { ...moments, ...(master ? { master } : {}) };
}

/** Frees them. */
export function disposeSlot(slot: AdamWSlot): void {
  for (const tensor of Object.values(slotTensors(slot))) tensor.dispose();
}
