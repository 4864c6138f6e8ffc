/** Drawing one token per row from the vocabulary of Qwen2-VL. */
import { randomCounters, type SamplingOptions, sample } from '#osler/kernels/sampling.js';
import { tensor } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

const VOCAB = 151_936;

function samplingCase(name: string, rows: number, options: SamplingOptions): BenchCase {
  return {
    name: `sample ${name}`,
    shape: `[${rows}, ${VOCAB}]`,
    flops: 0,
    bytes: rows * VOCAB * 4,
    setup(gpu) {
      const values = Float32Array.from({ length: rows * VOCAB }, (_, i) => 4 * Math.sin(i * i * 0.37));
      const logits = tensor(gpu, values, [rows, VOCAB]);
      const streams = Array.from({ length: rows }, (_, stream) => ({ stream, step: 0, position: 0 }));
      const counters = randomCounters(gpu, streams);
      return {
        run: () => disposeAll(...Object.values(sample({ logits, counters, seed: 1 }, options))),
        dispose: () => disposeAll(logits, counters),
      };
    },
  };
}

const cases: BenchCase[] = [
  samplingCase('greedy', 8, { temperature: 0 }),
  samplingCase('plain', 8, {}),
  samplingCase('min-p', 8, { minP: 0.05 }),
  samplingCase('top-k 50', 8, { topK: 50 }),
  samplingCase('top-p 0.9', 8, { topP: 0.9 }),
];

export default cases;
