/** Which variant computes a product: the rule of thumb, and what the tuner may measure. */
import type { Gpu } from '../gpu/index.js';
import { empty, type Tensor, type WeightFormat } from '../tensor/index.js';
import { full } from './elementwise.js';
import { type Piece, pieces } from './matmul-problem.js';
import { shortSupported } from './matmul-short.js';
import { GEMV_ROWS, type MatmulChoice, runPiece, tileSupported } from './matmul-variants.js';
import { matrixShape, matrixSupported, matrixTraits, partsFor, type TileSize } from './matrix-units.js';
import { ceilDiv } from './support.js';
import { bucket, type Task, tunerFor } from './tuner.js';

/** All that a choice may depend on; sizes that vary from step to step are rounded up to powers of two. */
interface Spec {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly dtypeB: WeightFormat;
  readonly precision: Piece['precision'];
}

/** The way to compute a piece. */
export function choose(p: Piece): MatmulChoice {
  // Tokens are the rows of A, or where A is transposed (weight gradients) what is summed over.
  const spec: Spec = {
    batch: bucket(p.batch),
    M: p.transposeA ? p.M : bucket(p.M),
    N: p.N,
    K: p.transposeA ? bucket(p.K) : p.K,
    transposeA: p.transposeA,
    transposeB: p.transposeB,
    dtypeB: p.dtypeB,
    precision: p.precision,
  };
  const layout = spec.transposeA ? 'TN' : spec.transposeB ? 'NT' : 'NN';
  const key = `matmul/${layout}/${p.dtypeB}${p.precision === 'f16' ? '-f16' : ''}/${spec.batch}x${spec.M}x${spec.N}x${spec.K}`;
  return tunerFor(p.gpu).choose(key, (gpu) => task(gpu, spec));
}

function task(gpu: Gpu, spec: Spec): Task<MatmulChoice> {
  return {
    rule: rule(gpu, spec),
    candidates: candidates(gpu, spec),
    prepare: () => scratch(gpu, spec),
  };
}

/** Rows up to which products are bound by reading B, and matrix units would idle. */
const FEW_ROWS = 8;

/** What a shape gets unless it was measured. */
export function rule(gpu: Gpu, s: Spec): MatmulChoice {
  const { M, N, transposeB } = s;
  if (gpu.info.software) {
    if (M <= FEW_ROWS && transposeB && !s.transposeA) return { variant: 'gemv', single: true };
    // Work for every core, in long runs of each row of B.
    if (M === 1 && !transposeB && !s.transposeA) {
      const splits = Math.max(1, Math.floor(Math.min(16384 / N, s.K / 128)));
      return { variant: 'gemv', single: true, splits };
    }
    // Two cores; a product of one block of rows and columns would use one of them.
    const splits = M * N <= 320 && s.K >= 2048 ? 4 : 1;
    return { variant: 'wide', packed: M > (transposeB ? 192 : 16), splits };
  }
  if (M > FEW_ROWS && shortSupported(gpu, s) && !matrixTraits(gpu).emulated) return { variant: 'short' };
  if (M <= GEMV_ROWS && !s.transposeA) {
    return { variant: 'gemv', splits: transposeB ? 1 : splitsFor(s, ceilDiv(N, 128)) };
  }
  const matrix = onMatrixUnits(gpu, s, 64);
  const tiles = (size: number) => ceilDiv(M, size) * ceilDiv(N, size) * s.batch;
  const large = matrix ? onMatrixUnits(gpu, s, 128) : tileSupported(gpu, 128);
  const tile = large && tiles(128) >= 64 ? 128 : 64;
  return { variant: matrix ? 'matrix' : 'tile', tile, splits: splitsFor(s, tiles(tile)) };
}

/**
 * Below this many rows, columns or steps of K a product is bound by memory, and operands are not prepared for matrix units: they
 * would be read and written once more (the products of low-rank adapters).
 */
const WORTH_PREPARING = 64;

/** Whether matrix units compute a product. */
function onMatrixUnits(gpu: Gpu, s: Spec, tile: TileSize): boolean {
  const shape = matrixShape(gpu);
  return (
    Math.min(s.M, s.N, s.K) >= WORTH_PREPARING &&
    shape !== undefined &&
    !matrixTraits(gpu).emulated &&
    matrixSupported(gpu, tile, partsFor(shape, s.precision, s.dtypeB))
  );
}

/** Cuts K where the workgroups alone would leave most of a GPU idle. */
function splitsFor(s: Spec, workgroups: number): number {
  if (s.batch > 1) return 1;
  return Math.max(1, Math.min(Math.floor(128 / workgroups), Math.floor(s.K / 512), 16));
}

function candidates(gpu: Gpu, s: Spec): MatmulChoice[] {
  const list: MatmulChoice[] = [rule(gpu, s)];
  const add = (choice: MatmulChoice) => {
    const text = JSON.stringify(choice);
    if (!list.some((c) => JSON.stringify(c) === text)) list.push(choice);
  };
  if (gpu.info.software) {
    const { splits } = { splits: 1, ...list[0] };
    add({ variant: 'wide', packed: false, splits });
    if (s.M >= 8) add({ variant: 'wide', packed: true, splits });
    if (s.M <= GEMV_ROWS && s.transposeB && !s.transposeA) add({ variant: 'gemv', single: true });
    return list;
  }
  if (shortSupported(gpu, s)) add({ variant: 'short' });
  if (s.M <= GEMV_ROWS && !s.transposeA) {
    for (const splits of s.transposeB ? [1] : [1, splitsFor(s, ceilDiv(s.N, 128))]) {
      add({ variant: 'gemv', splits });
    }
  }
  for (const tile of [32, 64, 128] as const) {
    const workgroups = ceilDiv(s.M, tile) * ceilDiv(s.N, tile) * s.batch;
    for (const splits of [1, splitsFor(s, workgroups)]) {
      if (tileSupported(gpu, tile)) add({ variant: 'tile', tile, splits });
      if (onMatrixUnits(gpu, s, tile)) add({ variant: 'matrix', tile, splits });
    }
  }
  return list;
}

function scratch(gpu: Gpu, s: Spec): { run(choice: MatmulChoice): void; dispose(): void } {
  const dims = (rows: number, columns: number) => [s.batch, rows, columns];
  const a = full(gpu, s.transposeA ? dims(s.K, s.M) : dims(s.M, s.K), 0.5, 'scratch');
  const b = empty(gpu, s.transposeB ? dims(s.N, s.K) : dims(s.K, s.N), {
    dtype: s.dtypeB,
    purpose: 'scratch',
  });
  gpu.clear(b.range);
  const y = empty(gpu, dims(s.M, s.N), { purpose: 'scratch' });
  const made: Tensor[] = [a, b, y];
  const product = [
    ...pieces({
      gpu,
      a,
      b,
      y,
      bias: null,
      residual: null,
      batch: s.batch,
      M: s.M,
      N: s.N,
      K: s.K,
      sharedA: false,
      sharedB: false,
      transposeA: s.transposeA,
      transposeB: s.transposeB,
      scale: 1,
      beta: 0,
      activation: null,
      precision: s.precision,
    }),
  ];
  return {
    run: (choice) => {
      for (const piece of product) runPiece(piece, choice);
    },
    dispose: () => {
      for (const t of made) t.dispose();
    },
  };
}
