/** What a trainer computes for completions: log-probabilities and logits of the full forward pass. */
import { gatherRows, noGrad, tokenLogProbs } from '../../src/autograd/index.js';
import type { Completion, GenerationRequest } from '../../src/generate/index.js';
import type { Model } from '../../src/models/core/model.js';
import { packGroups } from '../../src/models/core/packing.js';
import { fromHost, scope, type Tensor } from '../../src/tensor/index.js';

type Prompt = Pick<GenerationRequest, 'ids' | 'images'>;

/** Log-probabilities of the tokens of each completion. */
export async function trained(
  model: Model,
  prompt: Prompt,
  completions: readonly Completion[],
  temperature = 1,
): Promise<number[][]> {
  const values = await read(model, prompt, completions, (rows, targets) => {
    return tokenLogProbs(rows, model.head, targets, { temperature }).logp;
  });
  return completions.map(({ tokenIds }) => values.splice(0, tokenIds.length));
}

/** Logits from which each token of one completion is drawn. */
export async function fullLogits(model: Model, prompt: Prompt, completion: Completion): Promise<number[][]> {
  const values = await read(model, prompt, [completion], (rows) => model.logits(rows));
  const { vocabSize } = model.config.text;
  return completion.tokenIds.map((_, i) => values.slice(i * vocabSize, (i + 1) * vocabSize));
}

async function read(
  model: Model,
  { ids, images }: Prompt,
  completions: readonly Completion[],
  compute: (rows: Tensor, targets: Tensor) => Tensor,
): Promise<number[]> {
  const prompt = { ids, images: images?.grids };
  const packed = packGroups(model.config, [{ prompt, completions: completions.map((c) => c.tokenIds) }]);
  const batch = model.prepare(packed);
  const encoded = images ? noGrad(() => model.encodeImages(images.pixels, images.grids)) : null;
  const [own] = packed.completions;
  const result = noGrad(() =>
    scope(() => {
      const hidden = model.hidden(batch, encoded?.features ?? null);
      const targets = Int32Array.from(own.flatMap((c) => [...c.targets]));
      return compute(
        gatherRows(
          hidden,
          own.flatMap((c) => [...c.rows]),
        ),
        fromHost(model.gpu, targets, [targets.length], 'i32'),
      );
    }),
  );
  const values = [...(await result.data())];
  for (const held of [result, batch, encoded]) held?.dispose();
  return values;
}
