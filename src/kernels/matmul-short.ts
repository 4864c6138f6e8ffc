/** Products of few rows with weights in 16 bits on matrix units (shaders/matmul/subgroup-matrix-short.wgsl). */
import { check, type Gpu } from '../gpu/index.js';
import { formatOf } from '../tensor/index.js';
import { epilogue, flops, inSteps, layout, outputs, params } from './matmul-launch.js';
import type { Piece } from './matmul-problem.js';
import { type MatrixShape, matrixShape, matrixSubgroup, matrixTraits } from './matrix-units.js';
import { ceilDiv } from './support.js';

/** The most rows. */
export const SHORT_ROWS = 64;
/** Columns from which a workgroup takes 32 of them: then there is one for every part of a large GPU. */
const MANY_COLUMNS = 4096;
/** Steps of K that a subgroup stages at a time. */
const DEPTH = 32;

/** What a choice may depend on. */
type Sizes = Pick<Piece, 'M' | 'N' | 'K' | 'transposeA' | 'transposeB' | 'dtypeB'>;

interface Plan {
  readonly shape: MatrixShape;
  readonly subgroup: { readonly size: number; readonly asked: boolean };
  /** Rows and columns of y that a workgroup computes, and subgroups that share K. */
  readonly rows: number;
  readonly columns: number;
  readonly subgroups: number;
}

/** How a product would be made; null where it cannot be. */
function planOf(gpu: Gpu, s: Sizes): Plan | null {
  const shape = matrixShape(gpu);
  const subgroup = matrixSubgroup(gpu);
  const stored = s.transposeB && !s.transposeA && formatOf(s.dtypeB).exactInHalf && s.K % 8 === 0;
  if (!gpu.has.subgroupMatrix || !shape || !subgroup || !stored || s.M > SHORT_ROWS) return null;
  const rows = Math.max(shape.M, 2 ** Math.ceil(Math.log2(s.M)));
  // Sums of 64 x 32 leave no registers for what is staged.
  const most = s.N >= MANY_COLUMNS && rows <= 32 ? 32 : 16;
  const columns = matrixTraits(gpu).emulated ? shape.N : most;
  // Rows of A with both parts and rows of B, each with 16 bytes against bank conflicts, and a fragment.
  const bytes =
    shape.component === 'f16'
      ? rows * (4 * DEPTH + 16) + columns * (2 * DEPTH + 16)
      : (rows + columns) * (4 * DEPTH + 16);
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = gpu.limits;
  const subgroups = [8, 4, 2].find(
    (count) =>
      count * (bytes + 4 * shape.M * shape.N) <= maxComputeWorkgroupStorageSize &&
      count * subgroup.size <= maxComputeInvocationsPerWorkgroup,
  );
  return subgroups ? { shape, subgroup, rows, columns, subgroups } : null;
}

/** Whether this device can run the short variant on products of a size; operands must be aligned, too. */
export function shortSupported(gpu: Gpu, sizes: Sizes): boolean {
  return planOf(gpu, sizes) !== null;
}

/** Whether the operands of a piece are aligned as the short variant loads them. */
export function shortAligned({ a, b }: Piece): boolean {
  return inSteps(a, 4) && inSteps(b, 8);
}

/** Records the launch of one piece. */
export function short(p: Piece): void {
  const { gpu } = p;
  const plan = planOf(gpu, p);
  check(plan, 'adapter', () => {
    return `matmul: the short variant does not run on this device in tier ${gpu.tier}, or not with ${p.M} rows and K ${p.K} in ${p.dtypeB}`;
  });
  const { shape, subgroup, rows, columns, subgroups } = plan;
  gpu.launch(
    'matmul/subgroup-matrix-short',
    { ...p.a.bindings, ...p.b.bindings, ...outputs(p) },
    params(p, p.K),
    {
      groups: [ceilDiv(p.N, columns), 1, p.batch],
      flops: flops(p),
      defines: {
        ...epilogue(p),
        ...layout(p, 8),
        COMPONENT: shape.component,
        PARTS_A: shape.component === 'f16' && p.precision === 'f32' ? 2 : 1,
        SHAPE_M: shape.M,
        SHAPE_N: shape.N,
        SHAPE_K: shape.K,
        FRAGS_M: rows / shape.M,
        FRAGS_N: columns / shape.N,
        SUBGROUPS: subgroups,
        FETCHES_A: ceilDiv((rows * DEPTH) / 4, subgroup.size),
        FETCHES_B: ceilDiv((columns * DEPTH) / 8, subgroup.size),
        SUBGROUP: subgroup.size,
        FIXED_SIZE: subgroup.asked,
        EVEN: p.K % (DEPTH * subgroups) === 0,
      },
    },
  );
}
