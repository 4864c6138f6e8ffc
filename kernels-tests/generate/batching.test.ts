/** What a request gets must not depend on who shares its batch; and the memory that batches take. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Completion,
  type GenerationRequest,
  Generator,
  kvBytesPerToken,
} from '../../src/generate/index.js';
import type { Model } from '../../src/models/core/model.js';
import { testGpu } from '../support/gpu.js';
import { expectation, furthest, tinyModel } from './support.js';

const NAME = 'qwen2.5-vl';
let model: Model;
let requests: GenerationRequest[];

beforeAll(async () => {
  model = await tinyModel(await testGpu(), NAME);
  const { prompts } = await expectation(model, NAME);
  const settings = [
    { temperature: 0 },
    { temperature: 1.3, topP: 0.9 },
    { topK: 12, minP: 0.02, repetitionPenalty: 1.2 },
  ];
  // Prompts with and without images, of many lengths, under settings of all kinds.
  requests = Array.from({ length: 7 }, (_, i) => ({
    ...prompts[i % prompts.length],
    maxNewTokens: 5 + ((11 * i) % 23),
    samples: 1 + (i % 3),
    sampling: settings[i % settings.length],
    seed: 100 + i,
    step: i,
    stopIds: [3, 40],
  }));
});

afterAll(() => model.dispose());

async function run(options: ConstructorParameters<typeof Generator>[1], own = requests) {
  const generator = new Generator(model, options);
  try {
    return await generator.generate(own);
  } finally {
    await generator.dispose();
  }
}

function expectSame(a: readonly (readonly Completion[])[], b: readonly (readonly Completion[])[]): void {
  expect(a.length).toBe(b.length);
  a.forEach((completions, i) => {
    completions.forEach(({ tokenIds, logprobs, finishReason }, s) => {
      const other = b[i][s];
      expect(tokenIds, `request ${i}, sample ${s}`).toEqual(other.tokenIds);
      expect(finishReason).toBe(other.finishReason);
      expect(furthest(logprobs, other.logprobs)).toBeLessThan(1e-4);
    });
  });
}

describe('a batch', () => {
  it('gives every request what it gets alone', async () => {
    const together = await run({});
    const alone: Completion[][] = [];
    for (const request of requests) alone.push(...(await run({ maxBatch: 1 }, [request])));
    expectSame(together, alone);
    expect(together.flat().some(({ finishReason }) => finishReason === 'stop')).toBe(true);
    expect(together.flat().some(({ finishReason }) => finishReason === 'length')).toBe(true);
    expect(new Set(together[1].map(({ tokenIds }) => tokenIds.join())).size).toBe(2);
  });

  it('is the same with few places, a small cache, or without steps ahead', async () => {
    const together = await run({});
    expectSame(await run({ maxBatch: 3 }), together);
    expectSame(await run({ maxBatch: 2, prefillTokens: 1, ahead: false }), together);
    const need = Math.max(...requests.map(({ ids, maxNewTokens }) => ids.length + maxNewTokens));
    expectSame(await run({ cacheTokens: need }), together);
  });

  it('is the same with the kernels and the idle rows of hardware', async () => {
    const hardware = await tinyModel(await testGpu(undefined, { software: false }), NAME);
    const generator = new Generator(hardware);
    const seven = await generator.generate(requests.map((request) => ({ ...request, samples: 1 })));
    expectSame(
      seven,
      (await run({})).map(([first]) => [first]),
    );
    await generator.dispose();
    hardware.dispose();
  });

  it('is bit-identical when run again', async () => {
    expect(await run({})).toEqual(await run({}));
  });

  it('shares a prompt as if each sample had read it', async () => {
    const shared = requests.map((request) => ({ ...request, samples: 4, stream: 5 }));
    const separate = shared.flatMap((request) => {
      return [5, 6, 7, 8].map((stream) => ({ ...request, samples: 1, stream }));
    });
    const apart = await run({}, separate);
    const together = await run({}, shared);
    expectSame(
      together.flat().map((completion) => [completion]),
      apart,
    );
  });

  it('lets short requests pass a long one', async () => {
    const order: string[] = [];
    const request = (name: string, maxNewTokens: number): GenerationRequest => ({
      ids: [5, 6, 7],
      maxNewTokens,
      stopIds: [],
      onToken: ({ finishReason }) => void (finishReason && order.push(name)),
    });
    const short = ['a', 'b', 'c', 'd'].map((name) => request(name, 3));
    await run({ maxBatch: 2 }, [request('long', 40), ...short]);
    expect(order).toEqual(['a', 'b', 'c', 'd', 'long']);
  });

  it('takes a long line of requests as it comes', async () => {
    const generator = new Generator(model, { maxBatch: 2 });
    let asked = 0;
    let most = 0;
    let got = 0;
    async function* line() {
      for (const request of [...requests, ...requests]) {
        most = Math.max(most, ++asked - got);
        yield request;
      }
    }
    const results: Completion[][] = [];
    for await (const completions of generator.stream(line())) {
      got++;
      results.push(completions);
    }
    const together = await run({});
    expectSame(results, [...together, ...together]);
    expect(most).toBeLessThan(6);
    // Whoever stops listening stops the rest.
    for await (const _ of generator.stream(line())) break;
    await generator.dispose();
    expect(generator.cache.used).toBe(0);
  });
});

describe('memory', () => {
  it('is that of the formula, and is given back', async () => {
    const { gpu } = model;
    const before = gpu.memory().live.kv;
    const long = { ids: new Array(300).fill(7), maxNewTokens: 101, samples: 8, stopIds: [] };
    for (const kvDtype of ['f32', 'bf16'] as const) {
      const generator = new Generator(model, { kvDtype });
      // Reused memory may be a little larger than asked for; what is measured here is new.
      gpu.trim();
      await generator.generate([long]);
      const formula = (300 + 8 * 100) * kvBytesPerToken(model.config.text, kvDtype);
      const taken = gpu.memory().live.kv - before;
      expect(Math.abs(taken - formula)).toBeLessThan(0.1 * formula);
      expect(generator.cache.used).toBe(0);
      await generator.release();
      expect(gpu.memory().live.kv).toBe(before);
      await generator.generate([{ ...long, maxNewTokens: 2 }]);
      await generator.dispose();
      expect(gpu.memory().live.kv).toBe(before);
    }
  });

  it('does not grow from call to call', async () => {
    const generator = new Generator(model);
    const live: number[] = [];
    for (let i = 0; i < 4; i++) {
      await generator.generate(requests);
      live.push(model.gpu.memory().liveTotal);
    }
    expect(live[3]).toBe(live[1]);
    await generator.dispose();
  });

  it('is all given back at the end', async () => {
    const before = model.gpu.memory().liveTotal;
    const generator = new Generator(model);
    await generator.generate(requests);
    await generator.dispose();
    expect(model.gpu.memory().liveTotal).toBe(before);
  });
});
