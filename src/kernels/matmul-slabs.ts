/** Cutting K of a matrix product into slabs that are computed at once, whose sums are then added. */
import type { Defines } from '../gpu/index.js';
import { empty, type Tensor } from '../tensor/index.js';
import { epilogue, outputs, params } from './matmul-launch.js';
import type { Piece } from './matmul-problem.js';
import { ceilDiv, fold } from './support.js';

/**
 * Records a product whose K is cut into about `splits` slabs, each a multiple of `step`, so that it starts as well aligned as the
 * first; rounding up may leave fewer. `strides` are the elements from one step of K to the next. Batches are not cut.
 */
export function inSlabs(
  p: Piece,
  splits: number,
  step: number,
  strides: { readonly a: number; readonly b: number },
  run: (piece: Piece, defines: Defines, kEnd: number) => void,
): void {
  const slab = ceilDiv(ceilDiv(p.K, p.batch === 1 ? splits : 1), step) * step;
  if (slab >= p.K || ceilDiv(p.K, slab) * p.M * p.N * 4 > p.gpu.maxBindingBytes) {
    run(p, {}, p.K);
    return;
  }
  const slabs = ceilDiv(p.K, slab);
  const parts = empty(p.gpu, [slabs, p.M, p.N], { purpose: 'scratch' });
  run(
    {
      ...p,
      batch: slabs,
      K: slab,
      a: { ...p.a, stride: slab * strides.a },
      b: { ...p.b, stride: slab * strides.b },
      y: { bindings: { y: parts }, base: 0, ld: p.N, stride: p.M * p.N },
      bias: null,
      residual: null,
      activation: null,
      scale: 1,
      beta: 0,
    },
    { SPLIT: true },
    p.K,
  );
  combine(p, parts, slabs);
  parts.dispose();
}

function combine(p: Piece, parts: Tensor, slabs: number): void {
  p.gpu.launch(
    'matmul/combine',
    { parts, ...outputs(p) },
    { ...params(p, p.K), K: slabs },
    {
      groups: fold(p.gpu, ceilDiv(p.M * p.N, 64)),
      defines: epilogue(p),
      constants: { WORKGROUP: 64 },
    },
  );
}
