/** What a kernel benchmark is: one row of the table. */
import type { Gpu } from '#osler/gpu/index.js';
import type { Tensor } from '#osler/tensor/index.js';

/** A kernel at one shape. Files named `<family>.bench.ts` export a list of these as default. */
export interface BenchCase {
  readonly name: string;
  readonly shape: string;
  /** Floating-point operations and bytes (compulsory reads plus writes) of one run. */
  readonly flops: number;
  readonly bytes: number;
  /** Which measured roof limits it; f32 arithmetic unless said otherwise. */
  readonly roof?: 'f32' | 'f16' | 'matrix';
  /** False where this adapter cannot run it. */
  available?(gpu: Gpu): boolean;
  /** Makes inputs; `run` launches the kernel once, without waiting. */
  setup(gpu: Gpu): BenchInstance | Promise<BenchInstance>;
}

/** A prepared case. */
export interface BenchInstance {
  run(): void;
  dispose(): void;
}

/** Frees the inputs of a case. */
export function disposeAll(...tensors: readonly Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}
