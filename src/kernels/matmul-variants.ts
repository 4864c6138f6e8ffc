/** The ways to compute a matrix product: what each launch needs. */
import { check, type Defines, type Gpu } from '../gpu/index.js';
import { empty, formatOf } from '../tensor/index.js';
import { epilogue, flops, inSteps, layout, outputs, params } from './matmul-launch.js';
import { matrix } from './matmul-matrix.js';
import type { Piece } from './matmul-problem.js';
import { short, shortAligned } from './matmul-short.js';
import { inSlabs } from './matmul-slabs.js';
import type { TileSize } from './matrix-units.js';
import { decoder } from './stored.js';
import { ceilDiv } from './support.js';

/** A variant with its parameters; plain data, so that it can be recorded. */
export interface MatmulChoice {
  readonly variant: 'tile' | 'wide' | 'matrix' | 'gemv' | 'short';
  /** `tile`, `matrix`: rows and columns of y per workgroup. */
  readonly tile?: TileSize;
  /** `gemv`: small workgroups whose invocations compute alone, which suits software adapters. */
  readonly single?: boolean;
  /** `wide`: whether B is packed first. */
  readonly packed?: boolean;
  /** Pieces that K is cut into; their sums are added by a second pass. Single products only. */
  readonly splits?: number;
}

/** Records the launches of one piece. */
export function runPiece(p: Piece, choice: MatmulChoice): void {
  if (choice.variant === 'matrix') {
    matrix(p, choice.tile ?? 64, choice.splits ?? 1);
    return;
  }
  if (choice.variant === 'short' && shortAligned(p)) {
    short(p);
    return;
  }
  const strides = { a: p.transposeA ? p.a.ld : 1, b: p.transposeB ? 1 : p.b.ld };
  inSlabs(p, choice.splits ?? 1, 16, strides, (piece, defines, kEnd) => {
    if (choice.variant === 'wide') wide(piece, choice, defines, kEnd);
    else if (choice.variant === 'gemv') gemv(piece, choice, defines, kEnd);
    else tile(piece, choice, defines, kEnd);
  });
}

/** Steps of K that `tile` stages at a time. */
const TILE_DEPTH = 16;

/** Whether a tile size of the tile variant fits this device's workgroup memory; 128 is just over WebGPU's default limit. */
export function tileSupported(gpu: Gpu, size: TileSize): boolean {
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
      ...layout(p, inSteps(p.b, 4) ? 4 : 1),
      ...defines,
      VEC_A: inSteps(p.a, 4),
      TILE_M: size,
      TILE_N: size,
      DEPTH: depth,
      PER: per,
      FETCHES: ceilDiv(blocks, (size / per) ** 2),
    },
  });
}

/** Rows of A that `gemv` can take. */
export const GEMV_ROWS = 16;

function gemv(p: Piece, { single = false }: MatmulChoice, defines: Defines, kEnd: number): void {
  const { gpu } = p;
  check(p.M <= GEMV_ROWS && !p.transposeA, 'value', () => {
    return `matmul: the gemv variant takes at most ${GEMV_ROWS} rows of an A that is not transposed; it got ${p.M}`;
  });
  const rows = Math.min(2 ** Math.ceil(Math.log2(p.M)), p.transposeB ? 8 : GEMV_ROWS);
  const bindings = { ...p.a.bindings, ...p.b.bindings, ...outputs(p) };
  const common = { ...epilogue(p), ...defines, ROWS: rows };
  if (!p.transposeB) {
    const width = p.N % 4 === 0 && inSteps(p.b, 4) ? 4 : 1;
    const shape = single
      ? { LANES: 16, SLICES: 1, ...(rows > 1 ? { GROUPS: 2, UNROLL: 4 } : { GROUPS: 16, UNROLL: 1 }) }
      : { LANES: 32, SLICES: 8, GROUPS: 1, UNROLL: rows > 4 ? 2 : 4 };
    gpu.launch('matmul/gemv-nn', bindings, params(p, kEnd), {
      groups: [ceilDiv(p.N, shape.LANES * shape.GROUPS * width), 1, p.batch],
      defines: { ...common, ...shape, ...layout(p, width) },
    });
    return;
  }
  const most = formatOf(p.dtypeB).load;
  const aligned = p.K % most === 0 && kEnd % most === 0 && inSteps(p.a, 4) && inSteps(p.b, most);
  const size = gpu.info.subgroupSize?.max ?? 16;
  const lanes = single ? size : 128;
  const columns = single ? 1 : 4;
  const team = single ? 'invocation' : gpu.has.subgroups ? 'subgroup' : 'workgroup';
  const teams = { invocation: lanes, subgroup: Math.max(1, lanes / size), workgroup: 1 }[team];
  const workgroups = ceilDiv(p.N, columns * teams);
  gpu.launch('matmul/gemv-nt', bindings, params(p, kEnd), {
    groups: [Math.min(workgroups, gpu.limits.maxComputeWorkgroupsPerDimension), ceilDiv(p.M, rows), p.batch],
    defines: {
      ...common,
      ...layout(p, aligned ? most : 1),
      COLUMNS: columns,
      TEAM: team,
      ...(team === 'workgroup' ? { SUBGROUPS: false } : {}),
    },
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
  wideLaunch(p, rows, columns, { ...layout(p, inPlaceWidth(p)), ...defines }, kEnd);
}

/** Rows and columns per invocation where B is read in place; measured. Columns share cache lines only in K x N. */
function inPlaceBlock({ M, transposeB }: Piece): readonly [rows: number, columns: number] {
  if (transposeB) return M > 8 ? [16, 1] : M > 4 ? [8, 1] : [4, 1];
  return M > 8 ? [12, 2] : M > 4 ? [8, 2] : M > 1 ? [4, 1] : [1, 16];
}

/** Codes of blocks are unpacked eight at a time: one by one, each would be a load of them and one of their scale. */
function inPlaceWidth({ b, K, transposeB, dtypeB }: Piece): number {
  return transposeB && formatOf(dtypeB).kind === 'blocks' && K % 8 === 0 && inSteps(b, 8) ? 8 : 1;
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
    const along = p.transposeB ? p.K : N;
    const width = formatOf(p.dtypeB).load === 8 && along % 8 === 0 && inSteps(p.b, 8) ? 8 : 1;
    const baseB = p.b.base + (p.transposeB ? first * p.b.ld : first);
    p.gpu.launch(
      'matmul/pack',
      { ...p.b.bindings, panels: packed },
      { N, K: p.K, ldb: p.b.ld, strideB: p.b.stride, baseB, depth, kEnd },
      {
        groups: [panels, ceilDiv(depth, 128), p.batch],
        defines: { ...decoder(p.gpu, p.dtypeB, width), TRANSPOSE_B: p.transposeB, ...defines },
      },
    );
    const piece: Piece = {
      ...p,
      N,
      b: { bindings: { b: packed }, base: 0, ld: depth, stride: panels * depth * 16 },
      y: { ...p.y, base: p.y.base + first },
      column: p.column + first,
    };
    wideLaunch(
      piece,
      16,
      2,
      { ...decoder(p.gpu, 'f32', 1), TRANSPOSE_A: p.transposeA, ...defines, PACKED: true },
      kEnd,
    );
    packed.dispose();
  }
}
