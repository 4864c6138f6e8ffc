/** Embedding lookup and its gradient at the sizes of a Qwen2-VL-2B micro-batch. */
import { embedding } from '#osler/kernels/embedding.js';
import { scatterAddRows } from '#osler/kernels/scatter.js';
import { fromHost, zeros } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

const VOCAB = 32768;
const DIM = 1536;
const TOKENS = 1024;

/** Spread over the table, with every fourth token repeating an earlier one. */
const ids = Int32Array.from({ length: TOKENS }, (_, t) => ((t % 4 ? t : t >> 3) * 7919) % VOCAB);

const cases: BenchCase[] = [
  {
    name: 'embedding bf16',
    shape: `[${VOCAB}, ${DIM}] by ${TOKENS} ids`,
    flops: 0,
    bytes: TOKENS * DIM * (2 + 4),
    setup(gpu) {
      const table = zeros(gpu, [VOCAB, DIM], { dtype: 'bf16' });
      const tokens = fromHost(gpu, ids, [TOKENS], 'i32');
      return {
        run: () => embedding(table, tokens).dispose(),
        dispose: () => disposeAll(table, tokens),
      };
    },
  },
  {
    name: 'embedding gradient',
    shape: `[${TOKENS}, ${DIM}] into [${VOCAB}, ${DIM}]`,
    flops: TOKENS * DIM,
    bytes: TOKENS * DIM * 4 * 3,
    setup(gpu) {
      const target = zeros(gpu, [VOCAB, DIM]);
      const rows = zeros(gpu, [TOKENS, DIM]);
      const tokens = fromHost(gpu, ids, [TOKENS], 'i32');
      return {
        run: () => scatterAddRows(target, rows, tokens),
        dispose: () => disposeAll(target, rows, tokens),
      };
    },
  },
];

export default cases;
