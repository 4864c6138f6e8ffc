/** The ways to compute a matrix product: what each launch needs, and the rule of thumb that picks one. */
import type { Bindable, Defines } from '../gpu/index.js';
import { empty, type Tensor } from '../tensor/index.js';
import type { Operand, Piece } from './matmul-problem.js';
import { ceilDiv, fold } from './support.js';

/** A variant with its parameters; plain data, so that it can be recorded. */
export interface MatmulChoice {
  readonly variant: 'tile' | 'wide';
  /** `tile`: rows and columns of y per workgroup. */
  readonly tile?: 32 | 64 | 128;
  /** `wide`: whether B is packed first. */
  readonly packed?: boolean;
  /** Pieces that K is cut into; their sums are added by a second pass. Single products only. */
  readonly splits?: number;
}

/** Records the launches of one piece. */
export function runPiece(p: Piece, choice: MatmulChoice): void {
  const splits = p.batch === 1 ? (choice.splits ?? 1) : 1;
  // Slabs are multiples of 16 so that each starts as well aligned as the first; rounding up may leave fewer of them.
  const slab = ceilDiv(ceilDiv(p.K, splits), 16) * 16;
  if (slab >= p.K) return runVariant(p, choice, {});
  const slabs = ceilDiv(p.K, slab);
  const parts = empty(p.gpu, [slabs, p.M, p.N], { purpose: 'scratch' });
  const along = (o: Operand, contiguous: boolean): Operand => ({
    ...o,
    stride: contiguous ? slab : slab * o.ld,
  });
  runVariant(
    {
      ...p,
      batch: slabs,
      K: slab,
      a: along(p.a, !p.transposeA),
      b: along(p.b, p.transposeB),
      y: { range: parts.range, base: 0, ld: p.N, stride: p.M * p.N },
      bias: null,
      residual: null,
      activation: null,
      scale: 1,
      beta: 0,
    },
    choice,
    { SPLIT: true },
    p.K,
  );
  combine(p, parts, slabs);
  parts.dispose();
}

function runVariant(p: Piece, choice: MatmulChoice, defines: Defines, kEnd = p.K): void {
  if (choice.variant === 'wide') wide(p, choice, defines, kEnd);
  else tile(p, choice, defines, kEnd);
}

function combine(p: Piece, parts: Tensor, slabs: number): void {
  p.gpu.launch(
    'matmul/combine',
    { parts, ...outputs(p) },
    { ...params(p, p.K), K: slabs },
    {
      groups: fold(p.gpu, ceilDiv(p.M * p.N, 64)),
      defines: { ...epilogue(p), OPERANDS: 1 },
      constants: { WORKGROUP: 64 },
    },
  );
}

function params(p: Piece, kEnd: number): Record<string, number> {
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

function outputs(p: Piece): Record<string, Bindable> {
  return { y: p.y, ...(p.bias && { bias: p.bias }), ...(p.residual && { residual: p.residual }) };
}

function epilogue(p: Piece): Defines {
  return {
    OPERANDS: 2,
    BIAS: p.bias !== null,
    RESIDUAL: p.residual !== null,
    ACCUMULATE: p.beta !== 0,
    ...(p.activation && { [p.activation.toUpperCase().replace('-', '_')]: true }),
  };
}

function layout(p: Piece): Defines {
  return {
    TRANSPOSE_A: p.transposeA,
    TRANSPOSE_B: p.transposeB,
    ...(p.dtypeB !== 'f32' && { [p.dtypeB.toUpperCase()]: true }),
  };
}

/** Whether rows of an operand can be loaded four elements at a time. */
function inFours(o: Operand): boolean {
  return o.ld % 4 === 0 && o.base % 4 === 0 && o.stride % 4 === 0;
}

function tile(p: Piece, choice: MatmulChoice, defines: Defines, kEnd: number): void {
  const size = choice.tile ?? 64;
  const per = size === 128 ? 8 : 4;
  const depth = 16;
  const blocks = (2 * size * depth) / 16;
  p.gpu.launch('matmul/tile', { a: p.a, b: p.b, ...outputs(p) }, params(p, kEnd), {
    groups: [ceilDiv(p.N, size), ceilDiv(p.M, size), p.batch],
    defines: {
      ...epilogue(p),
      ...layout(p),
      ...defines,
      VEC_A: inFours(p.a),
      VEC_B: inFours(p.b),
      TILE_M: size,
      TILE_N: size,
      DEPTH: depth,
      PER: per,
      FETCHES: ceilDiv(blocks, (size / per) ** 2),
    },
  });
}

/** Rows of the loop over K that `wide` unrolls; packed panels are padded to a multiple of it. */
const UNROLL = 16;
/** Bytes of packed panels held at a time. */
const PANEL_BYTES = 64 << 20;

function wide(p: Piece, choice: MatmulChoice, defines: Defines, kEnd: number): void {
  const rows = p.M > 8 ? 16 : p.M > 4 ? 8 : 4;
  const rowBlocks = ceilDiv(p.M, rows);
  const launch = (piece: Piece, extra: Defines) => {
    const panels = ceilDiv(piece.N, 16);
    const runs = Math.max(ceilDiv(panels, 64), Math.min(panels, ceilDiv(16, rowBlocks * p.batch)));
    p.gpu.launch('matmul/wide', { a: p.a, b: piece.b, ...outputs(p) }, params(piece, kEnd), {
      groups: [rowBlocks, runs, p.batch],
      defines: { ...epilogue(p), ...layout(piece), ...defines, ...extra, ROWS: rows, UNROLL },
    });
  };
  if (!choice.packed) return launch(p, {});

  const depth = ceilDiv(p.K, UNROLL) * UNROLL;
  const most = Math.floor(Math.min(PANEL_BYTES, p.gpu.maxBindingBytes) / (p.batch * depth * 64));
  if (most === 0) return launch(p, {});
  const total = ceilDiv(p.N, 16);
  for (let panel = 0; panel < total; panel += most) {
    const count = Math.min(most, total - panel);
    const n = panel * 16;
    const N = Math.min(count * 16, p.N - n);
    const packed = empty(p.gpu, [p.batch, count, depth, 16], { purpose: 'scratch' });
    p.gpu.launch(
      'matmul/pack',
      { b: p.b, panels: packed },
      {
        N,
        K: p.K,
        ldb: p.b.ld,
        strideB: p.b.stride,
        baseB: p.b.base + (p.transposeB ? n * p.b.ld : n),
        depth,
        kEnd,
      },
      { groups: [count, depth / 16, p.batch], defines: { ...layout(p), ...defines } },
    );
    launch(
      {
        ...p,
        N,
        dtypeB: 'f32',
        transposeB: false,
        b: { range: packed.range, base: 0, ld: depth, stride: count * depth * 16 },
        y: { ...p.y, base: p.y.base + n },
        column: p.column + n,
      },
      { PACKED: true },
    );
    packed.dispose();
  }
}
