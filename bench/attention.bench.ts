/** Attention forward, backward and decoding, at the shapes of the peers' table and of a Qwen2-VL-2B micro-batch. */
import type { Gpu } from '#osler/gpu/index.js';
import { attentionBackward, attentionForward, decodeAttention, Segments } from '#osler/kernels/attention.js';
import { type DType, fromHost, scope, tensor, zeros } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

interface Sizes {
  readonly heads: number;
  readonly kvHeads: number;
  readonly dim: number;
}

interface Packed extends Sizes {
  readonly name: string;
  /** A prompt alone, or one with completions that share it. */
  readonly prompt: number;
  readonly completions?: readonly number[];
  /** Give every completion a prompt of its own, which is what sharing saves. */
  readonly copies?: boolean;
  readonly causal?: boolean;
  /** Of a prompt alone: how many tokens a token looks back on. */
  readonly window?: number;
  readonly backward?: boolean;
}

const PEER: Sizes = { heads: 8, kvHeads: 8, dim: 64 };
const QWEN: Sizes = { heads: 12, kvHeads: 2, dim: 128 };
const VISION: Sizes = { heads: 16, kvHeads: 16, dim: 80 };
const WIDE: Sizes = { heads: 8, kvHeads: 1, dim: 256 };
const GROUP = [64, 40, 96, 24];

/** Not random, but without structure that hardware could profit from. */
function values(gpu: Gpu, ...shape: number[]) {
  const size = shape.reduce((a, b) => a * b);
  const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.618));
  return tensor(gpu, data, shape).keep();
}

function segmentsOf(gpu: Gpu, { prompt, completions = [], copies }: Packed): Segments {
  if (!copies) return Segments.fromGroups(gpu, [{ prompt, completions }]);
  return Segments.fromLengths(
    gpu,
    completions.map((length) => prompt + length),
  );
}

/** Pairs that attend in a causal sequence whose tokens look back on so many. */
function band(n: number, window: number): number {
  const short = Math.min(n, window);
  return (short * (short + 1)) / 2 + (n - short) * window;
}

/** Two products per query-key pair that attends, five more in the backward pass. */
function costOf({ prompt, completions = [], copies, causal = true, ...options }: Packed) {
  const { backward, heads, kvHeads, dim } = options;
  const triangle = (n: number) => (causal ? band(n, options.window ?? n) : n * n);
  const each = completions.map((n) => triangle(n) + n * prompt);
  const prompts = copies ? completions.length : 1;
  const pairs = each.reduce((a, b) => a + b, prompts * triangle(prompt));
  const tokens = completions.reduce((a, b) => a + b, prompts * prompt);
  const rows = tokens * dim * 4 * (2 * heads + 2 * kvHeads);
  return { tokens, flops: 2 * dim * heads * pairs * (backward ? 7 : 2), bytes: backward ? 3 * rows : rows };
}

function packedCase(options: Packed): BenchCase {
  const { name, heads, kvHeads, dim, causal = true, window } = options;
  const { tokens, flops, bytes } = costOf(options);
  return {
    name: `attention ${name}`,
    shape: `T ${tokens}, H ${heads}/${kvHeads}, D ${dim}`,
    flops,
    bytes,
    setup(gpu) {
      const [q, gradOut] = [0, 1].map(() => values(gpu, tokens, heads, dim));
      const [k, v] = [0, 1].map(() => values(gpu, tokens, kvHeads, dim));
      const segments = segmentsOf(gpu, options);
      const run = () => {
        const forward = attentionForward(q, k, v, segments, { causal, window });
        if (options.backward) attentionBackward(gradOut, q, k, v, forward, segments, { causal, window });
      };
      return {
        run: () => scope(run),
        dispose() {
          disposeAll(q, k, v, gradOut);
          segments.dispose();
        },
      };
    },
  };
}

function decodeCase(samples: number, prompt: number, own: number, dtype: DType): BenchCase {
  const { heads, kvHeads, dim } = QWEN;
  const slots = prompt + samples * own;
  const width = dtype === 'f32' ? 4 : 2;
  return {
    name: `attention decode ${dtype}`,
    shape: `${samples} samples of ${prompt} + ${own} keys, H ${heads}/${kvHeads}, D ${dim}`,
    flops: 4 * samples * (prompt + own) * heads * dim,
    bytes: 2 * samples * (prompt + own) * kvHeads * dim * width,
    setup(gpu) {
      const [k, v] = [0, 1].map(() => zeros(gpu, [slots, kvHeads, dim], { dtype, purpose: 'kv' }).keep());
      const q = values(gpu, samples, heads, dim);
      const rows = Array.from({ length: samples }, (_, s) => [
        0,
        prompt,
        prompt + s * own,
        prompt + s * own + own,
      ]);
      const sequences = fromHost(gpu, Uint32Array.from(rows.flat()), [samples, 4], 'u32').keep();
      return {
        run: () => decodeAttention(q, { k, v }, sequences, { maxKeys: prompt + own }).dispose(),
        dispose: () => disposeAll(q, k, v, sequences),
      };
    },
  };
}

export default [
  packedCase({ name: 'forward', ...PEER, prompt: 256 }),
  packedCase({ name: 'forward', ...PEER, prompt: 512 }),
  packedCase({ name: 'forward, not causal', ...PEER, prompt: 512, causal: false }),
  packedCase({ name: 'forward + backward', ...PEER, prompt: 512, backward: true }),
  packedCase({ name: 'forward', ...QWEN, prompt: 512 }),
  packedCase({ name: 'forward, not causal', ...VISION, prompt: 512, causal: false }),
  packedCase({ name: 'fwd + bwd, not causal', ...VISION, prompt: 512, causal: false, backward: true }),
  packedCase({ name: 'forward + backward', ...WIDE, prompt: 256, backward: true }),
  ...[1024, 2048, 4096].map((prompt) =>
    packedCase({ name: 'window 256, fwd + bwd', ...PEER, prompt, window: 256, backward: true }),
  ),
  packedCase({
    name: 'shared, fwd + bwd',
    ...QWEN,
    prompt: 256,
    completions: GROUP,
    backward: true,
  }),
  packedCase({
    name: 'copied, fwd + bwd',
    ...QWEN,
    prompt: 256,
    completions: GROUP,
    copies: true,
    backward: true,
  }),
  decodeCase(8, 512, 256, 'bf16'),
  decodeCase(8, 512, 256, 'f32'),
];
