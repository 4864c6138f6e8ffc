/** Greedy generation against transformers, and decoding against the full forward pass. */
import { describe, expect, it } from 'vitest';
import { gatherRows, noGrad, tokenLogProbs } from '../../src/autograd/index.js';
import { Generator } from '../../src/generate/generator.js';
import type { Completion, GenerationRequest } from '../../src/generate/request.js';
import type { Model } from '../../src/models/model.js';
import { packGroups } from '../../src/models/packing.js';
import { fromHost, scope } from '../../src/tensor/index.js';
import { testGpu, testTiers } from '../support/gpu.js';
import { expectation, furthest, greedy, MODELS, tinyModel } from './support.js';

/** What a trainer computes for completions. */
async function trained(
  model: Model,
  { ids, images }: Pick<GenerationRequest, 'ids' | 'images'>,
  completions: readonly Completion[],
  temperature = 1,
): Promise<number[][]> {
  const prompt = { ids, images: images?.grids };
  const packed = packGroups(model.config, [{ prompt, completions: completions.map((c) => c.tokenIds) }]);
  const batch = model.prepare(packed);
  const encoded = images ? noGrad(() => model.encodeImages(images.pixels, images.grids)) : null;
  const own = packed.completions[0];
  const logp = noGrad(() =>
    scope(() => {
      const hidden = model.hidden(batch, encoded?.features ?? null);
      const rows = gatherRows(
        hidden,
        own.flatMap((c) => [...c.rows]),
      );
      const targets = Int32Array.from(own.flatMap((c) => [...c.targets]));
      return tokenLogProbs(rows, model.head, fromHost(model.gpu, targets, [targets.length], 'i32'), {
        temperature,
      }).logp;
    }),
  );
  const values = [...(await logp.data())];
  for (const held of [logp, batch, encoded]) held?.dispose();
  return completions.map(({ tokenIds }) => values.splice(0, tokenIds.length));
}

describe.each(MODELS)('%s', (name) => {
  it('generates the tokens of transformers, on every tier', async () => {
    for (const tier of await testTiers()) {
      const model = await tinyModel(await testGpu(tier), name);
      const generator = new Generator(model);
      const { prompts, length, tokens, logprobs } = await expectation(model, name);
      const results = await generator.generate(prompts.map((prompt) => greedy(prompt, length)));
      results.forEach(([{ tokenIds, logprobs: own, finishReason }], i) => {
        expect(tokenIds, `${tier}, prompt ${i}`).toEqual(tokens[i]);
        expect(furthest(own, logprobs[i])).toBeLessThan(1e-4);
        expect(finishReason).toBe('length');
      });
      await generator.dispose();
      model.dispose();
    }
  });

  it('reports the log-probabilities that a trainer computes', async () => {
    const model = await tinyModel(await testGpu(), name);
    const generator = new Generator(model);
    const { prompts } = await expectation(model, name);
    const sampling = { temperature: 0.8, topK: 20, repetitionPenalty: 1.1 };
    const results = await generator.generate(
      prompts.map((prompt) => ({ ...prompt, samples: 3, maxNewTokens: 20, sampling, seed: 3, stopIds: [] })),
    );
    for (const [i, completions] of results.entries()) {
      const expected = await trained(model, prompts[i], completions, sampling.temperature);
      completions.forEach(({ logprobs }, s) => {
        expect(logprobs).toHaveLength(20);
        expect(furthest(logprobs, expected[s])).toBeLessThan(1e-4);
      });
    }
    await generator.dispose();
    model.dispose();
  });
});
