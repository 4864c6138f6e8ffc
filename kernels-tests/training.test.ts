import { beforeAll, describe, expect, test } from 'vitest';
import type { Gpu } from '../src/gpu/index.js';
import { Segments } from '../src/kernels/attention.js';
import { openGpu } from '../src/platform/launcher/open.js';
import { type Tensor, tensor } from '../src/tensor/index.js';
import { relativeError } from './support/compare.js';
import { Decoder, type DecoderSizes } from './support/decoder.js';
import { fixture } from './support/fixture.js';

const DEEP: DecoderSizes = { layers: 24, width: 128, heads: 4, kvHeads: 2, hidden: 384, vocab: 512 };
const TOKENS = 512;

/** A device of its own: these tests count every byte. */
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});

function batch(vocab: number, tokens: number): { tokens: Tensor; targets: Tensor; segments: Segments } {
  const ids = Int32Array.from({ length: tokens + 1 }, (_, i) => (i * i * 7 + i * 3) % vocab);
  return {
    tokens: tensor(gpu, ids.slice(0, -1)),
    targets: tensor(gpu, ids.slice(1)),
    segments: Segments.fromLengths(gpu, [tokens / 4, tokens / 2, tokens / 4]),
  };
}

/** Bytes that training must hold at its peak, from the sizes alone: nothing here is measured. */
function onPaper({ layers, width, heads, kvHeads, hidden, vocab }: DecoderSizes, tokens: number) {
  const kv = (width / heads) * kvHeads;
  const perLayer = 2 * width + 2 * width * width + 2 * kv * width + 3 * hidden * width;
  const weights = 4 * (layers * perLayer + width + 2 * vocab * width);
  // Saved per layer: both residual streams, both norms' outputs, q, attention's output (6 widths), k and v, the two halves
  // of SwiGLU and their product, two norms' 1/std, the log-sum-exp.
  const saved = 4 * tokens * (6 * width + 2 * kv + 3 * hidden + 2 + heads);
  // While a recomputed layer is walked back: what the tape does not save of it (two widths), the gradient that arrives and
  // the one that leaves, and the gradients of SwiGLU's two halves.
  const walking = 4 * tokens * (4 * width + 2 * hidden);
  const logits = 4 * tokens * vocab;
  return {
    // At the start of the backward pass: weights, two moments, everything saved, the logits and their gradient.
    plain: 3 * weights + layers * saved + 2 * logits + 4 * tokens * width,
    // With checkpointing: only each layer's input, and one layer's intermediates with their gradients at a time; by the
    // end of the backward pass the inputs are gone and all weight gradients are there.
    checkpointed: Math.max(
      3 * weights + layers * 4 * tokens * width + 2 * logits,
      4 * weights + saved + walking,
    ),
  };
}

// Slow for its depth, which it is about: a leak or a tensor kept per layer is lost in the noise of a shallow model.
describe('a 24-layer decoder', () => {
  test.each([false, true])(
    'holds its memory from step 2 on, and peaks where arithmetic says (checkpointing: %s)',
    async (checkpointing) => {
      const start = gpu.memory().liveTotal;
      const decoder = new Decoder(gpu, DEEP);
      const inputs = batch(DEEP.vocab, TOKENS);
      const losses: number[] = [];
      const live: number[] = [];
      for (let step = 0; step < 4; step++) {
        if (step === 2) gpu.resetPeakMemory();
        const loss = decoder.step(inputs.tokens, inputs.targets, inputs.segments, checkpointing);
        losses.push(await loss.item());
        loss.dispose();
        live.push(gpu.memory().liveTotal);
      }
      expect(live.slice(2)).toEqual([live[1], live[1]]);
      expect(losses[3]).toBeLessThan(losses[0]);
      const expected = onPaper(DEEP, TOKENS)[checkpointing ? 'checkpointed' : 'plain'];
      const ratio = gpu.memory().peakTotal / expected;
      expect(ratio).toBeGreaterThan(0.9);
      expect(ratio).toBeLessThan(1.1);
      decoder.dispose();
      for (const t of Object.values(inputs)) t.dispose();
      expect(gpu.memory().liveTotal).toBe(start);
    },
  );
});

describe('a small decoder', () => {
  const sizes: DecoderSizes = { layers: 2, width: 64, heads: 4, kvHeads: 2, hidden: 96, vocab: 97 };

  test('reruns are bit-identical', async () => {
    const run = async () => {
      const decoder = new Decoder(gpu, sizes);
      const inputs = batch(sizes.vocab, 64);
      for (let step = 0; step < 3; step++)
        decoder.step(inputs.tokens, inputs.targets, inputs.segments).dispose();
      const weights = await Promise.all([...decoder.parameters.values()].map((p) => p.raw()));
      decoder.dispose();
      for (const t of Object.values(inputs)) t.dispose();
      return weights;
    };
    expect(await run()).toEqual(await run());
  });

  test('trains like PyTorch: losses, gradients and weights after three steps', async () => {
    const reference = fixture('decoder');
    const decoder = new Decoder(gpu, sizes);
    for (const [name, parameter] of decoder.parameters) {
      parameter.write(reference[`start.${name}`].data as Float32Array);
    }
    const tokens = tensor(gpu, reference.tokens.data);
    const targets = tensor(gpu, reference.targets.data);
    const segments = Segments.fromLengths(gpu, [...reference.lengths.data]);
    const losses: number[] = [];
    for (let step = 0; step < 3; step++) {
      const loss = decoder.step(tokens, targets, segments);
      losses.push(await loss.item());
      loss.dispose();
    }
    expect(relativeError(losses, reference.losses.data)).toBeLessThan(1e-5);
    for (const [name, parameter] of decoder.parameters) {
      expect(relativeError(await parameter.data(), reference[`end.${name}`].data), name).toBeLessThan(1e-4);
    }
    decoder.dispose();
    for (const t of [tokens, targets, segments]) t.dispose();
  });
});
