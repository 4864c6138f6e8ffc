/** The machine's measured limits: arithmetic peaks, copy bandwidth, dispatch overhead. Benchmarks are read against these. */
import type { Gpu, MatrixConfig } from '../gpu/index.js';
import { empty, scope, type Tensor } from '../tensor/index.js';
import { cast, full } from './elementwise.js';
import { launchElementwise } from './support.js';

/** Measured limits of an adapter; null where it lacks the feature. */
export interface Roofline {
  /** f32 multiply-adds, FLOP/s. */
  readonly f32: number;
  /** Packed f16 multiply-adds, FLOP/s. */
  readonly f16: number | null;
  /** f16 matrix multiply-accumulate with f32 results, FLOP/s. */
  readonly matrix: number | null;
  /** Bytes read plus bytes written per second while copying a large buffer. */
  readonly bandwidth: number;
  /** Microseconds per launch in a long batch, recording included. */
  readonly dispatchMicroseconds: number;
}

const STEPS = 16;
const CHAINS = 16;
const MATRIX_CHAINS = 8;

/** Measures everything; takes a second or two. */
export async function measureRoofline(gpu: Gpu): Promise<Roofline> {
  return {
    f32: await measureFma(gpu, false),
    f16: gpu.has.f16 ? await measureFma(gpu, true) : null,
    matrix: await measureMatrix(gpu),
    bandwidth: await measureBandwidth(gpu),
    dispatchMicroseconds: await measureDispatch(gpu),
  };
}

/** The f16 x f16 -> f32 configuration with the most multiply-adds per instruction. */
export function bestMatrixConfig(gpu: Gpu): MatrixConfig | null {
  const usable = gpu.info.matrixConfigs.filter((c) => c.component === 'f16' && c.result === 'f32');
  usable.sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  return gpu.has.subgroupMatrix ? (usable[0] ?? null) : null;
}

/** FLOP/s of independent multiply-add chains. */
export async function measureFma(gpu: Gpu, f16: boolean): Promise<number> {
  const workgroup = gpu.info.software ? 16 : 256;
  const groups = gpu.info.software ? 64 : 4096;
  const flopsPerTurn = groups * workgroup * CHAINS * STEPS * 2 * (f16 ? 2 : 1);
  return withTensor(gpu, groups * workgroup, async (sink) => {
    const run = (turns: number) =>
      gpu.launch(
        'roofline/fma',
        { sink },
        { turns },
        {
          groups: [groups],
          defines: { TYPE_F16: f16 },
          constants: { WORKGROUP: workgroup },
        },
      );
    return flopsPerTurn * (await bestTurnsPerSecond(gpu, run));
  });
}

/** FLOP/s of the adapter's matrix units, or null. */
export async function measureMatrix(gpu: Gpu): Promise<number | null> {
  const config = bestMatrixConfig(gpu);
  if (!config || !gpu.info.subgroupSize) return null;
  const { M, N, K } = config;
  const subgroups = gpu.info.software ? 1 : 4;
  const workgroup = gpu.info.subgroupSize.max * subgroups;
  const groups = gpu.info.software ? 16 : 2048;
  const flopsPerTurn = groups * subgroups * MATRIX_CHAINS * M * N * K * 2;
  return scope(async () => {
    const operands = cast(full(gpu, [Math.max(M, N) * K], 0.37), 'f16');
    const sink = empty(gpu, [groups * MATRIX_CHAINS * M * N], { purpose: 'scratch' });
    const run = (turns: number) =>
      gpu.launch(
        'roofline/matrix',
        { operands, sink },
        { turns },
        {
          groups: [groups],
          defines: { SHAPE_M: M, SHAPE_N: N, SHAPE_K: K },
          constants: { WORKGROUP: workgroup },
        },
      );
    return flopsPerTurn * (await bestTurnsPerSecond(gpu, run));
  });
}

/** Bytes moved per second by the better of a copy kernel and the driver's own copy. */
export async function measureBandwidth(gpu: Gpu): Promise<number> {
  const bytes = Math.min(gpu.maxBindingBytes, gpu.info.software ? 1 << 27 : 1 << 29);
  const size = Math.floor(bytes / 16) * 4;
  return withTensor(gpu, size, (x) =>
    withTensor(gpu, size, async (y) => {
      const kernel = () => launchElementwise(gpu, 'roofline/copy', { x, y }, {});
      const driver = () => gpu.copy(x.range, y.range);
      const seconds = Math.min(await bestSeconds(gpu, kernel, 4), await bestSeconds(gpu, driver, 4));
      return (2 * size * 4) / seconds;
    }),
  );
}

/** Microseconds per launch in a batch of a thousand. */
export async function measureDispatch(gpu: Gpu): Promise<number> {
  const count = 1000;
  return withTensor(gpu, 1, async (sink) => {
    const batch = () => {
      for (let i = 0; i < count; i++) gpu.launch('roofline/empty', { sink }, { value: i }, { groups: [1] });
    };
    return ((await bestSeconds(gpu, batch, 7)) / count) * 1e6;
  });
}

async function withTensor<T>(gpu: Gpu, size: number, body: (tensor: Tensor) => Promise<T>): Promise<T> {
  return scope(async () => body(empty(gpu, [size], { purpose: 'scratch' })));
}

/** Doubles the loop count until a launch takes long enough to time, then takes the best of several. */
async function bestTurnsPerSecond(gpu: Gpu, run: (turns: number) => void): Promise<number> {
  let turns = 16;
  while (turns < 1 << 24 && (await bestSeconds(gpu, () => run(turns), 1)) < 0.02) turns *= 2;
  return turns / (await bestSeconds(gpu, () => run(turns), 7));
}

async function bestSeconds(gpu: Gpu, run: () => void, times: number): Promise<number> {
  run();
  await gpu.sync();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    run();
    await gpu.sync();
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}
