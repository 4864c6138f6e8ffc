/** The ways to compute a matrix product: what each launch needs. */
import { type Bindable, check, type Defines, type Gpu, type MatrixConfig } from '../gpu/index.js';
import { empty, formatOf, type Tensor } from '../tensor/index.js';
import type { Operand, Piece } from './matmul-problem.js';
import { ceilDiv, fold } from './support.js';

/** A variant with its parameters; plain data, so that it can be recorded. */
export interface MatmulChoice {
  readonly variant: 'tile' | 'wide' | 'matrix' | 'gemv';
  /** `tile`, `matrix`: rows and columns of y per workgroup. */
  readonly tile?: 32 | 64 | 128;
  /** `gemv`: workgroups of a single subgroup, which suits software adapters. */
  readonly single?: boolean;
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
  if (slab >= p.K || ceilDiv(p.K, slab) * p.M * p.N * 4 > p.gpu.maxBindingBytes) {
    runVariant(p, choice, {});
    return;
  }
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
      y: { bindings: { y: parts }, base: 0, ld: p.N, stride: p.M * p.N },
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
  else if (choice.variant === 'matrix') matrix(p, choice, defines, kEnd);
  else if (choice.variant === 'gemv') gemv(p, choice, defines, kEnd);
  else tile(p, choice, defines, kEnd);
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

function flops(p: Piece): number {
  return 2 * p.batch * p.M * p.N * p.K;
}

function outputs(p: Piece): Record<string, Bindable> {
  return { ...p.y.bindings, ...(p.bias && { bias: p.bias }), ...p.residual?.bindings };
}

function epilogue(p: Piece): Defines {
  return {
    BIAS: p.bias !== null,
    RESIDUAL: p.residual !== null,
    ACCUMULATE: p.beta !== 0,
    ACTIVATION: p.activation ?? 'none',
  };
}

function layout(p: Piece): Defines {
  return {
    TRANSPOSE_A: p.transposeA,
    TRANSPOSE_B: p.transposeB,
    FORMAT: p.dtypeB,
  };
}

/** Whether rows of an operand can be loaded `width` elements at a time. */
function inSteps(o: Operand, width: number): boolean {
  return o.ld % width === 0 && o.base % width === 0 && o.stride % width === 0;
}

/** Steps of K that `tile` stages at a time. */
const TILE_DEPTH = 16;

/** Whether a tile size of the tile variant fits this device's workgroup memory; 128 is just over WebGPU's default limit. */
export function tileSupported(gpu: Gpu, size: 32 | 64 | 128): boolean {
  // Both operands as vec4s of f32, one vec4 of padding per row.
  return 2 * TILE_DEPTH * (size / 4 + 1) * 16 <= gpu.limits.maxComputeWorkgroupStorageSize;
}

function tile(p: Piece, choice: MatmulChoice, defines: Defines, kEnd: number): void {
  const size = choice.tile ?? 64;
  check(tileSupported(p.gpu, size), 'adapter', () => {
    return `matmul: tiles of ${size} do not fit the ${p.gpu.limits.maxComputeWorkgroupStorageSize} bytes of workgroup memory of this adapter`;
  });
  const per = size === 128 ? 8 : 4;
  const depth = TILE_DEPTH;
  const blocks = (2 * size * depth) / 16;
  p.gpu.launch('matmul/tile', { ...p.a.bindings, ...p.b.bindings, ...outputs(p) }, params(p, kEnd), {
    groups: [ceilDiv(p.N, size), ceilDiv(p.M, size), p.batch],
    flops: flops(p),
    defines: {
      ...epilogue(p),
      ...layout(p),
      ...defines,
      VEC_A: inSteps(p.a, 4),
      WIDTH: inSteps(p.b, 4) ? 4 : 1,
      TILE_M: size,
      TILE_N: size,
      DEPTH: depth,
      PER: per,
      FETCHES: ceilDiv(blocks, (size / per) ** 2),
    },
  });
}

/** Subgroup grid and the part of the tile that each subgroup owns. */
const MATRIX_TILES = {
  32: { gridM: 2, gridN: 2, partM: 16, partN: 16 },
  64: { gridM: 2, gridN: 2, partM: 32, partN: 32 },
  128: { gridM: 2, gridN: 4, partM: 64, partN: 32 },
} as const;

/** Steps of K that `matrix` stages at a time. */
function matrixDepth(size: 32 | 64 | 128): number {
  return size === 32 ? 16 : 32;
}

/** In how many f16 numbers the matrix variant holds an element of A. */
export function partsOfA(precision: Piece['precision']): 1 | 2 {
  return precision === 'f32' ? 2 : 1;
}

/** The largest matrix shape that the adapter multiplies from f16 into f32, as far as it divides the tiles. */
function matrixConfig(gpu: Gpu): MatrixConfig | undefined {
  return gpu.info.matrixConfigs
    .filter(
      (c) => c.component === 'f16' && c.result === 'f32' && [c.M, c.N, c.K].every((d) => d === 8 || d === 16),
    )
    .sort((x, y) => y.M * y.N * y.K - x.M * x.N * x.K)[0];
}

/** Whether this device can run the matrix variant with a tile size and an A in `parts` f16 numbers. */
export function matrixSupported(gpu: Gpu, size: 32 | 64 | 128, parts: 1 | 2): boolean {
  const config = matrixConfig(gpu);
  const subgroup = gpu.info.subgroupSize;
  if (!gpu.has.subgroupMatrix || !config || !subgroup) return false;
  const { gridM, gridN } = MATRIX_TILES[size];
  const sameSize = subgroup.min === subgroup.max;
  // Operands padded by 8 columns or rows, whichever is more, and a fragment of f32 per subgroup.
  const depth = matrixDepth(size);
  const tile = 2 * (size * depth + 8 * Math.max(size, depth));
  const bytes = (parts + 1) * tile + 4 * gridM * gridN * config.M * config.N;
  return (
    (sameSize || gpu.device.features.has('subgroup-size-control' as GPUFeatureName)) &&
    gridM * gridN * subgroup.max <= gpu.limits.maxComputeInvocationsPerWorkgroup &&
    bytes <= gpu.limits.maxComputeWorkgroupStorageSize
  );
}

function matrix(p: Piece, choice: MatmulChoice, defines: Defines, kEnd: number): void {
  const { gpu } = p;
  const size = choice.tile ?? 64;
  const { gridM, gridN, partM, partN } = MATRIX_TILES[size];
  const config = matrixConfig(gpu);
  const subgroup = gpu.info.subgroupSize;
  const parts = partsOfA(p.precision);
  check(matrixSupported(gpu, size, parts) && config && subgroup, 'adapter', () => {
    return `matmul: the matrix variant with tiles of ${size} does not run on this device in tier ${gpu.tier}`;
  });
  const depth = matrixDepth(size);
  const threads = gridM * gridN * subgroup.max;
  const units = ceilDiv((size * depth) / 4, threads);
  // Matrix units store whole rows of a fragment, 16 bytes at a time.
  const plain = !p.bias && !p.residual && !p.activation && p.scale === 1 && p.beta === 0 && inSteps(p.y, 4);
  const magnitudes = magnitudesOf(p, kEnd);
  gpu.launch(
    'matmul/subgroup-matrix',
    { ...p.a.bindings, ...p.b.bindings, ...outputs(p), magnitudes },
    params(p, kEnd),
    {
      groups: [ceilDiv(p.N, size), ceilDiv(p.M, size), p.batch],
      flops: flops(p),
      defines: {
        ...epilogue(p),
        ...layout(p),
        ...defines,
        VEC_A: inSteps(p.a, 4),
        WIDTH: inSteps(p.b, 4) ? 4 : 1,
        SHAPE_M: config.M,
        SHAPE_N: config.N,
        SHAPE_K: config.K,
        GRID_M: gridM,
        GRID_N: gridN,
        FRAGS_M: partM / config.M,
        FRAGS_N: partN / config.N,
        DEPTH: depth,
        SUBGROUP: subgroup.max,
        FIXED_SIZE: subgroup.min !== subgroup.max,
        UNITS_A: units,
        UNITS_B: units,
        PLAIN: plain,
        PRECISE: parts === 2,
      },
    },
  );
  magnitudes.dispose();
}

/** Partial maxima of the magnitudes in A, as bits: what it is scaled by to fit f16. */
function magnitudesOf(p: Piece, kEnd: number): Tensor {
  const { base, ld, stride, bindings } = p.a;
  // Whole rows, and with them columns that belong to other pieces of the same matrix. Slabs lie within one matrix.
  const matrices = kEnd === p.K && stride > 0 ? p.batch : 1;
  const length = matrices > 1 ? matrices * stride : (p.transposeA ? kEnd : p.M) * ld;
  const count = Math.min(length, bindings.a.range.size / 4 - base);
  const groups = Math.min(256, ceilDiv(count, 256 * 8));
  const partials = empty(p.gpu, [groups], { dtype: 'u32', purpose: 'scratch' });
  p.gpu.launch(
    'matmul/magnitude',
    { ...p.a.bindings, partials },
    { first: base, count },
    { groups: [groups], constants: { WORKGROUP: 256 } },
  );
  return partials;
}

/** Rows of A that `gemv` can take. */
export const GEMV_ROWS = 16;

function gemv(p: Piece, { single = false }: MatmulChoice, defines: Defines, kEnd: number): void {
  const { gpu } = p;
  check(p.M <= GEMV_ROWS && !p.transposeA, 'value', () => {
    return `matmul: the gemv variant takes at most ${GEMV_ROWS} rows of an A that is not transposed; it got ${p.M}`;
  });
  const rows = 2 ** Math.ceil(Math.log2(p.M));
  const bindings = { ...p.a.bindings, ...p.b.bindings, ...outputs(p) };
  const common = { ...epilogue(p), ...layout(p), ...defines, ROWS: rows };
  if (!p.transposeB) {
    const width = p.N % 4 === 0 && inSteps(p.b, 4) ? 4 : 1;
    const shape = single
      ? { LANES: 16, SLICES: 1, ...(rows > 1 ? { GROUPS: 2, UNROLL: 4 } : { GROUPS: 16, UNROLL: 1 }) }
      : { LANES: 32, SLICES: 8, GROUPS: 1, UNROLL: rows > 4 ? 2 : 4 };
    gpu.launch('matmul/gemv-nn', bindings, params(p, kEnd), {
      groups: [ceilDiv(p.N, shape.LANES * shape.GROUPS * width), 1, p.batch],
      defines: { ...common, ...shape, WIDTH: width },
    });
    return;
  }
  const most = formatOf(p.dtypeB).load;
  const aligned = p.K % most === 0 && kEnd % most === 0 && inSteps(p.a, 4) && inSteps(p.b, most);
  const lanes = single ? (gpu.info.subgroupSize?.max ?? 16) : 128;
  const columns = rows > 4 ? 2 : single && rows === 1 && lanes >= 8 ? 8 : 4;
  const teams = gpu.has.subgroups ? Math.max(1, lanes / (gpu.info.subgroupSize?.max ?? lanes)) : 1;
  const workgroups = ceilDiv(p.N, columns * teams);
  gpu.launch('matmul/gemv-nt', bindings, params(p, kEnd), {
    groups: [Math.min(workgroups, gpu.limits.maxComputeWorkgroupsPerDimension), 1, p.batch],
    defines: { ...common, WIDTH: aligned ? most : 1, COLUMNS: columns, SUBGROUPS: gpu.has.subgroups },
    constants: { WORKGROUP: lanes },
  });
}

/** Steps of K that `wide` unrolls; packed panels are padded to a multiple of it. */
const UNROLL = 16;
/** Bytes of packed panels held at a time. */
const PANEL_BYTES = 64 << 20;

function wide(p: Piece, choice: MatmulChoice, defines: Defines, kEnd: number): void {
  const depth = ceilDiv(p.K, UNROLL) * UNROLL;
  const pairBytes = p.batch * depth * 32 * 4;
  if (choice.packed && pairBytes <= p.gpu.maxBindingBytes) {
    const room = Math.min(PANEL_BYTES, p.gpu.maxBindingBytes);
    widePacked(p, depth, Math.max(1, Math.floor(room / pairBytes)), defines, kEnd);
    return;
  }
  const [rows, columns] = inPlaceBlock(p);
  wideLaunch(p, rows, columns, { ...layout(p), ...defines }, kEnd);
}

/** Rows and columns per invocation where B is read in place; measured. Columns share cache lines only in K x N. */
function inPlaceBlock({ M, transposeB }: Piece): readonly [rows: number, columns: number] {
  if (transposeB) return M > 8 ? [16, 1] : M > 4 ? [8, 1] : [4, 1];
  return M > 8 ? [12, 2] : M > 4 ? [8, 2] : M > 1 ? [4, 1] : [1, 16];
}

function wideLaunch(p: Piece, rows: number, columns: number, defines: Defines, kEnd: number): void {
  const rowBlocks = ceilDiv(p.M, rows);
  const panels = ceilDiv(p.N, 16 * columns);
  // Long runs of panels share the staging of A; short ones where there would be too few workgroups for all cores.
  const runs = Math.max(ceilDiv(panels, 32), Math.min(panels, ceilDiv(16, rowBlocks * p.batch)));
  const roomy = p.gpu.limits.maxComputeWorkgroupStorageSize >= 32768;
  p.gpu.launch('matmul/wide', { ...p.a.bindings, ...p.b.bindings, ...outputs(p) }, params(p, kEnd), {
    groups: [rowBlocks, runs, p.batch],
    flops: flops(p),
    defines: {
      ...epilogue(p),
      ...defines,
      WIDTH: 1,
      ROWS: rows,
      COLUMNS: columns,
      STEP: rows % 4 === 0 ? 1 : rows % 2 === 0 ? 2 : 4,
      UNROLL,
      CHUNK: roomy ? 512 : 256,
    },
  });
}

/** Packs B, `pairs` pairs of 16 columns at a time, and multiplies by the panels. */
function widePacked(p: Piece, depth: number, pairs: number, defines: Defines, kEnd: number): void {
  for (let first = 0; first < p.N; first += pairs * 32) {
    const N = Math.min(pairs * 32, p.N - first);
    const panels = ceilDiv(N, 32) * 2;
    const packed = empty(p.gpu, [p.batch, panels, depth, 16], { purpose: 'scratch' });
    const baseB = p.b.base + (p.transposeB ? first * p.b.ld : first);
    p.gpu.launch(
      'matmul/pack',
      { ...p.b.bindings, panels: packed },
      { N, K: p.K, ldb: p.b.ld, strideB: p.b.stride, baseB, depth, kEnd },
      {
        groups: [panels, ceilDiv(depth, 128), p.batch],
        defines: { FORMAT: p.dtypeB, WIDTH: 1, TRANSPOSE_B: p.transposeB, ...defines },
      },
    );
    const piece: Piece = {
      ...p,
      N,
      b: { bindings: { b: packed }, base: 0, ld: depth, stride: panels * depth * 16 },
      y: { ...p.y, base: p.y.base + first },
      column: p.column + first,
    };
    wideLaunch(piece, 16, 2, { FORMAT: 'f32', TRANSPOSE_A: p.transposeA, ...defines, PACKED: true }, kEnd);
    packed.dispose();
  }
}
