/**
 * Random weights that depend on nothing but the seed, the parameter's name and the element's place. Normal numbers come
 * from a table of 65536 quantiles, two for each random word: fast enough that the disk is the limit for billions.
 */
import { asBytes, fromF32 } from '../../formats/dtypes.js';
import type { TensorSource } from '../../formats/writer.js';
import { nameHash, randomWords } from '../../kernels/random.js';
import { formatOf, fromTorch, numel, type TorchFloat } from '../../tensor/index.js';
import type { ParameterSpec } from '../core/builder.js';
import { randomWord } from '../core/random-words.js';

const CHUNK_ELEMENTS = 1 << 21;
/** Norm weights are spread around 1 (or 0, as shifts from it), so that a model which ignores them is found out. */
const NORM_SPREAD = 0.05;

/** The parameter's random content as something to write. */
export function randomWeight(
  spec: ParameterSpec,
  seed: number,
  dtype: TorchFloat,
  deviation: number,
): TensorSource {
  const center = spec.role === 'norm' ? 1 : 0;
  const spread = spec.role === 'norm' || spec.role === 'shift' ? NORM_SPREAD : deviation;
  const { file } = formatOf(fromTorch(dtype));
  return {
    name: spec.name,
    dtype: file,
    shape: spec.shape,
    data: () => {
      const values = Float32Array.from(normalQuantiles(), (q) => center + spread * q);
      const encoded = fromF32(values, file);
      const table = file === 'F32' ? values : new Uint16Array(encoded.buffer, encoded.byteOffset, 65536);
      return pieces(spec, seed, table);
    },
  };
}

async function* pieces(
  spec: ParameterSpec,
  seed: number,
  table: Float32Array | Uint16Array,
): AsyncGenerator<Uint8Array> {
  const size = numel(spec.shape);
  const [key0, key1] = randomWords({ seed, stream: nameHash(spec.name), step: 0, position: 0 });
  const buffer =
    table instanceof Float32Array ? new Float32Array(CHUNK_ELEMENTS) : new Uint16Array(CHUNK_ELEMENTS);
  for (let first = 0; first < size; first += CHUNK_ELEMENTS) {
    const count = Math.min(CHUNK_ELEMENTS, size - first);
    for (let i = 0; i < count; i += 2) {
      // Counters are pairs of elements; the high part of the counter enters through the chunk number.
      const word = randomWord((first + i) / 2, key0, key1 + Math.floor(first / 2 ** 33));
      buffer[i] = table[word & 0xffff];
      buffer[i + 1] = table[word >>> 16];
    }
    yield asBytes(buffer.subarray(0, count));
  }
}

let quantiles: Float32Array | undefined;

/** The standard normal distribution's quantiles at (i + 1/2) / 65536. */
function normalQuantiles(): Float32Array {
  quantiles ??= Float32Array.from({ length: 65536 }, (_, i) => normalQuantile((i + 0.5) / 65536));
  return quantiles;
}

/** Acklam's rational approximation, within 1.2e-9 relative. */
function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    const top = horner(
      q,
      [
        -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
        2.938163982698783,
      ],
    );
    return (
      top / horner(q, [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1])
    );
  }
  const q = p - 0.5;
  const r = q * q;
  const top = horner(
    r,
    [
      -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
      2.506628277459239,
    ],
  );
  const bottom = horner(
    r,
    [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
  );
  return (top * q) / bottom;
}

function horner(x: number, coefficients: readonly number[]): number {
  return coefficients.reduce((sum, c) => sum * x + c, 0);
}
