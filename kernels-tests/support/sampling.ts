/** Sampling in float64 by sorting, with the random numbers that the device uses. */
import { randomWords, unitFloat } from '../../src/kernels/random.js';
import type { SamplingOptions } from '../../src/kernels/sampling.js';

/** One row's choice. */
export interface ReferenceSample {
  readonly token: number;
  readonly logp: number;
  readonly rawLogp: number;
  /** Distance of the random number from the nearest edge of the chosen interval: rounding may cross small ones. */
  readonly margin: number;
  readonly kept: number;
}

/** Everything that decides a row's choice. */
export interface ReferenceRow {
  readonly logits: Float32Array;
  readonly options: SamplingOptions;
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
  readonly position: number;
  readonly seen?: ReadonlySet<number>;
  readonly forbidden?: ReadonlySet<number>;
}

/** Draws like `sample`, in Hugging Face's order of filters; equal logits count by rising id. */
export function referenceSample(row: ReferenceRow): ReferenceSample {
  const { temperature = 1, topK = 0, topP = 1, minP = 0, minTokensToKeep = 1 } = row.options;
  const penalty = row.options.repetitionPenalty ?? 1;
  const scale = Math.fround(1 / (temperature || 1));
  const work = row.logits.map((l, v) =>
    row.seen?.has(v) ? Math.fround(l < 0 ? l * Math.fround(penalty) : l * Math.fround(1 / penalty)) : l,
  );
  const ids = [...work.keys()].filter((v) => !row.forbidden?.has(v));
  ids.sort((a, b) => work[b] - work[a] || a - b);
  const rawLogp = (v: number) => scale * row.logits[v] - logSumExp(Array.from(row.logits, (l) => scale * l));
  if (temperature === 0) {
    return { token: ids[0], logp: 0, rawLogp: rawLogp(ids[0]), margin: 1, kept: 1 };
  }
  let kept = ids;
  const p = (v: number) => Math.exp(scale * (work[v] - work[ids[0]]));
  if (topK > 0) {
    const k = Math.min(Math.max(topK, minTokensToKeep), ids.length);
    kept = kept.filter((v) => work[v] >= work[ids[k - 1]]);
  }
  if (topP < 1) {
    const goal = Math.fround(topP) * kept.reduce((sum, v) => sum + p(v), 0);
    let before = 0;
    kept = kept.filter((v, i) => {
      const keep = before < goal || i < minTokensToKeep;
      before += p(v);
      return keep;
    });
  }
  kept = kept.filter((v, i) => p(v) >= minP || i < minTokensToKeep);
  const total = kept.reduce((sum, v) => sum + p(v), 0);
  const number = unitFloat(randomWords(row)[0]) * total;
  let end = 0;
  for (const v of [...kept].sort((a, b) => a - b)) {
    const begin = end;
    end += p(v);
    if (number < end) {
      const margin = Math.min(number - begin, end - number) / total;
      return {
        token: v,
        logp: Math.log(p(v) / total),
        rawLogp: rawLogp(v),
        margin: begin === 0 ? end - number : margin,
        kept: kept.length,
      };
    }
  }
  throw new Error('the random number is past the end of the distribution');
}

function logSumExp(values: readonly number[]): number {
  const largest = values.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(values.reduce((sum, x) => sum + Math.exp(x - largest), 0));
}
