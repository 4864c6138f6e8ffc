/** Greedy generation against transformers, and decoding against the full forward pass. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Completion, Generator } from '../../src/generate/index.js';
import type { Tier } from '../../src/gpu/index.js';
import { createAdapter } from '../../src/models/core/lora/adapter.js';
import type { LoraConfig } from '../../src/models/core/lora/config.js';
import type { Model } from '../../src/models/core/model.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { testGpu, testTiers } from '../support/gpu.js';
import { expectation, furthest, greedy, MODELS, tinyModel } from './support.js';
import { fullLogits, trained } from './trained.js';

const held: { dispose(): void }[] = [];

afterEach(() => {
  for (const item of held.splice(0)) item.dispose();
});

async function open(name: string, tier?: Tier): Promise<Model> {
  const model = await tinyModel(await testGpu(tier), name);
  held.push(model);
  return model;
}

/** An adapter that changes what the model says, with dropout that must not reach generation. */
function disturb(model: Model, settings: Partial<LoraConfig> = { rank: 4, targets: ['q_proj', 'up_proj'] }) {
  const adapter = createAdapter(model, { dropout: 0.5, ...settings }, { seed: 1 });
  for (const [name, matrix] of adapter.parameters.entries()) {
    if (!name.includes('lora_B')) continue;
    matrix.write(Float32Array.from({ length: matrix.size }, (_, i) => 0.3 * Math.sin(7 * i)));
  }
  return adapter;
}

describe.each(MODELS)('%s', (name) => {
  it('generates the tokens of transformers, on every tier', async () => {
    for (const tier of await testTiers()) {
      const model = await open(name, tier);
      const generator = new Generator(model, { stopIds: [] });
      const { prompts, length, tokens, logprobs } = await expectation(model, name);
      expect(length).toBe(64);
      const results = await generator.generate(prompts.map((prompt) => greedy(prompt, length)));
      results.forEach(([{ tokenIds, logprobs: own, finishReason }], i) => {
        expect(tokenIds, `${tier}, prompt ${i}`).toEqual(tokens[i]);
        expect(furthest(own, logprobs[i])).toBeLessThan(1e-4);
        expect(finishReason).toBe('length');
      });
      await generator.dispose();
    }
  });

  it.each([false, true])(
    'reports the log-probabilities that a trainer computes (adapter: %s)',
    async (lora) => {
      const model = await open(name);
      const generator = new Generator(model);
      const { prompts } = await expectation(model, name);
      const sampling = { temperature: 0.8, topK: 20, repetitionPenalty: 1.1 };
      const requests = prompts.map((prompt) => {
        return { ...prompt, samples: 3, maxNewTokens: 20, sampling, seed: 3, stopIds: [] };
      });
      const plain = await generator.generate(requests);
      if (lora) disturb(model);
      const results = lora ? await generator.generate(requests) : plain;
      if (lora) expect(ids(results)).not.toEqual(ids(plain));
      for (const [i, completions] of results.entries()) {
        const expected = await trained(model, prompts[i], completions, sampling.temperature);
        completions.forEach(({ logprobs }, s) => {
          expect(logprobs).toHaveLength(20);
          expect(furthest(logprobs, expected[s])).toBeLessThan(1e-4);
        });
      }
      await generator.dispose();
    },
  );

  it('has the logits of the full forward pass at every step', async () => {
    const model = await open(name);
    const { prompts } = await expectation(model, name);
    const [prompt] = prompts;
    // Logits of the prompt's last token, then those that the one recorded step leaves behind.
    const seen: Tensor[] = [];
    const logits = model.logits.bind(model);
    model.logits = (hidden) => {
      const result = logits(hidden);
      seen.push(result.alias().keep());
      return result;
    };
    const generator = new Generator(model, { ahead: false });
    const reads: Promise<Float32Array>[] = [];
    const onToken = () => void reads.push((seen.at(-1) as Tensor).data());
    const [[completion]] = await generator.generate([{ ...greedy(prompt, 16), onToken }]);
    const own = await Promise.all(reads);
    expect(seen).toHaveLength(2);
    model.logits = logits;
    const full = await fullLogits(model, prompt, completion);
    full.forEach((row, i) => {
      expect(furthest([...own[i]], row), `token ${i}`).toBeLessThan(1e-4);
    });
    for (const item of seen) item.dispose();
    await generator.dispose();
  });
});

// Layers over one input run as one where all of them have like adapters, else one by one.
it('has a trainer’s log-probabilities with adapters of all kinds, on the kernels of hardware', async () => {
  const model = await tinyModel(await testGpu(undefined, { software: false }), 'qwen2');
  held.push(model);
  const { prompts } = await expectation(model, 'qwen2');
  const requests = prompts.slice(0, 2).map((prompt) => {
    return { ...prompt, samples: 3, maxNewTokens: 6, seed: 3, stopIds: [] };
  });
  for (const settings of [
    { rank: 8, targets: 'all-linear' },
    { rank: 8, targets: ['q_proj', 'v_proj', 'down_proj'] },
    { rank: 8, targets: 'all-linear', rankPattern: { k_proj: 4 }, alphaPattern: { up_proj: 3 } },
  ]) {
    const adapter = disturb(model, settings);
    const generator = new Generator(model);
    const results = await generator.generate(requests);
    for (const [i, completions] of results.entries()) {
      const expected = await trained(model, requests[i], completions);
      completions.forEach(({ logprobs }, s) => {
        expect(furthest(logprobs, expected[s]), JSON.stringify(settings)).toBeLessThan(1e-5);
      });
    }
    await generator.dispose();
    adapter.dispose();
  }
});

it('follows weights that change between calls', async () => {
  const model = await open('qwen2');
  const { prompts, tokens } = await expectation(model, 'qwen2');
  const generator = new Generator(model, { stopIds: [] });
  const requests = prompts.map((prompt) => greedy(prompt, 24));
  const weight = model.parameters.get('model.layers.0.mlp.down_proj.weight');
  const before = await weight.data();
  await generator.generate(requests);
  weight.write(before.map((x, i) => x * (1 + Math.sin(i))));
  const changed = await generator.generate(requests);
  const fresh = new Generator(model, { stopIds: [] });
  expect(changed).toEqual(await fresh.generate(requests));
  await fresh.dispose();
  weight.write(before);
  const again = await generator.generate(requests);
  expect(ids(again)).toEqual(tokens.map((own) => own.slice(0, 24)));
  expect(ids(changed)).not.toEqual(ids(again));
  await generator.dispose();
});

it('is close with keys and values, or weights, in 16 bits', async () => {
  const gpu = await testGpu();
  for (const name of ['qwen2', 'qwen2.5-vl'] as const) {
    for (const kvDtype of ['f16', 'bf16'] as const) {
      const model = await tinyModel(gpu, name, kvDtype);
      held.push(model);
      const { prompts } = await expectation(model, name);
      const generator = new Generator(model, { kvDtype });
      const results = await generator.generate(prompts.map((prompt) => greedy(prompt, 16)));
      for (const [i, completions] of results.entries()) {
        const [expected] = await trained(model, prompts[i], completions);
        expect(furthest(completions[0].logprobs, expected)).toBeLessThan(3e-2);
      }
      await generator.dispose();
    }
  }
});

it('says so when the weights give no number', async () => {
  const model = await open('llama');
  const weight = model.parameters.get('model.norm.weight');
  const nan = tensor(model.gpu, new Float32Array(weight.size).fill(Number.NaN), weight.shape);
  model.gpu.copy(nan.range, weight.range);
  nan.dispose();
  const generator = new Generator(model);
  await expect(generator.generate([{ ids: [1, 2, 3], maxNewTokens: 4 }])).rejects.toThrow(
    /not a number|is a number/,
  );
  await generator.dispose();
});

function ids(results: readonly (readonly Completion[])[]): number[][] {
  return results.flatMap((completions) => completions.map(({ tokenIds }) => [...tokenIds]));
}
