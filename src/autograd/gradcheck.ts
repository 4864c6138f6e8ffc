/** Checking a gradient against central finite differences. */
import { OslerError } from '../gpu/index.js';
import { scope, type Tensor, tensor } from '../tensor/index.js';
import { gradients } from './backward.js';
import { noGrad } from './graph.js';

/** What a result may be off by, relative, after a few f32 roundings. */
const EPSILON = 2 ** -22;

/** Options of {@link gradcheck}. */
export interface GradcheckOptions {
  /** Relative step of the difference quotient. f32 loses digits below about 1e-3. */
  readonly step?: number;
  /** Largest allowed ||analytic - numeric|| / ||numeric||, per input, beyond what f32 rounding of `f` explains. */
  readonly tolerance?: number;
  /** Elements probed per input, spread evenly; all by default when there are few. */
  readonly samples?: number;
}

/** Error of one input's gradient. */
export interface GradcheckResult {
  readonly input: number;
  readonly relativeError: number;
  readonly probed: number;
}

/**
 * Compares the analytic gradients of `f(...inputs)` with central differences, for f32 inputs that require gradients.
 * `f` may return any shape: its elements are weighted with fixed pseudo-random numbers and summed on the host in
 * float64. Throws if an input is off by more than the tolerance; returns the errors otherwise.
 */
export async function gradcheck(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<GradcheckResult[]> {
  const { step = 1e-2, tolerance = 1e-2, samples = 24 } = options;
  const checked = inputs.map((t, i) => ({ t, i })).filter(({ t }) => t.requiresGrad);
  const probe = scope(() => noGrad(() => f(...inputs)));
  const weights = Float32Array.from({ length: probe.size }, (_, i) => Math.cos(1.7 * i + 0.3));
  const shape = probe.shape;
  probe.dispose();

  const analytic = scope(() => {
    const gradient = tensor(inputs[0].gpu, weights, shape);
    const found = gradients(
      f(...inputs),
      checked.map(({ t }) => t),
      { gradient },
    );
    return found;
  });

  const results: GradcheckResult[] = [];
  for (const [at, { t, i }] of checked.entries()) {
    const expected = await analytic[at].data();
    analytic[at].dispose();
    const values = (await t.data()).slice();
    const count = Math.min(samples, t.size);
    let difference = 0;
    let norm = 0;
    let noise = 0;
    for (let s = 0; s < count; s++) {
      const element = Math.floor((s * t.size) / count);
      const h = step * Math.max(1, Math.abs(values[element]));
      const [above, below] = [await objective(element, h), await objective(element, -h)];
      const slope = (above.sum - below.sum) / (2 * h);
      noise += ((EPSILON * (above.size + below.size)) / (2 * h)) ** 2;
      difference += (slope - expected[element]) ** 2;
      norm += slope ** 2;
    }
    t.write(values);
    const relativeError = Math.sqrt(difference) / Math.max(Math.sqrt(norm), Number.MIN_VALUE);
    if (!(Math.sqrt(difference) <= tolerance * Math.sqrt(norm) + Math.sqrt(noise))) {
      throw new OslerError(
        'autograd',
        `gradcheck: gradient of input ${i} (${t.describe()}) is off by ${relativeError.toExponential(2)}, allowed ${tolerance}`,
      );
    }
    results.push({ input: i, relativeError, probed: count });

    async function objective(element: number, change: number): Promise<{ sum: number; size: number }> {
      const moved = values.slice();
      moved[element] = Math.fround(values[element] + change);
      t.write(moved);
      const y = scope(() => noGrad(() => f(...inputs)));
      const out = await y.data();
      y.dispose();
      let sum = 0;
      let squares = 0;
      for (let j = 0; j < out.length; j++) {
        sum += weights[j] * out[j];
        squares += (weights[j] * out[j]) ** 2;
      }
      // Rounding errors of the elements are independent: they add as squares.
      return { sum, size: Math.sqrt(squares) };
    }
  }
  return results;
}
