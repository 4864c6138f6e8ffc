/** What the launches of all ways to compute a matrix product have in common. */
import type { Bindable, Defines } from '../gpu/index.js';
import type { Operand, Piece } from './matmul-problem.js';
import { decoder } from './stored.js';

/** The parameters of `shaders/matmul/problem.wgsl`; K ends at `kEnd` where the batch is slabs of it. */
export function params(p: Piece, kEnd: number): Record<string, number> {
  return {
    M: p.M,
    N: p.N,
    K: p.K,
    lda: p.a.ld,
    ldb: p.b.ld,
    ldc: p.y.ld,
    strideA: p.a.stride,
    strideB: p.b.stride,
    strideC: p.y.stride,
    baseA: p.a.base,
    baseB: p.b.base,
    baseC: p.y.base,
    column: p.column,
    kEnd,
    scale: p.scale,
    beta: p.beta,
  };
}

/** Arithmetic of a product. */
export function flops(p: Piece): number {
  return 2 * p.batch * p.M * p.N * p.K;
}

/** What results go into, and what is added to them. */
export function outputs(p: Piece): Record<string, Bindable> {
  return { ...p.y.bindings, ...(p.bias && { bias: p.bias }), ...p.residual?.bindings };
}

/** What `shaders/matmul/epilogue.wgsl` is specialised by. */
export function epilogue(p: Piece): Defines {
  return {
    BIAS: p.bias !== null,
    RESIDUAL: p.residual !== null,
    ACCUMULATE: p.beta !== 0,
    ACTIVATION: p.activation ?? 'none',
  };
}

/** How the operands are stored, and so many elements of B per load. */
export function layout(p: Piece, width: number): Defines {
  return {
    TRANSPOSE_A: p.transposeA,
    TRANSPOSE_B: p.transposeB,
    ...decoder(p.gpu, p.dtypeB, width),
  };
}

/** Whether rows of an operand can be loaded `width` elements at a time. */
export function inSteps(o: Operand, width: number): boolean {
  return o.ld % width === 0 && o.base % width === 0 && o.stride % width === 0;
}
