/** The reward for meaning what is right: the cosine of sentence embeddings. */
import type { z } from 'zod';
import { answerText, referenceTexts } from '../../data/index.js';
import { cosine, EmbeddingClient } from '../../endpoint/embeddings.js';
import { questionOf } from './choice.js';
import { endpointFields, endpointJudge } from './endpoint-fields.js';
import { entrySchema, type RewardKind } from './kind.js';

const schema = entrySchema('embedding', endpointFields);

/** The cosine of the answer's embedding and that of the nearest text that is right, in [-1, 1]; only of questions that want a text. */
export const embeddingReward: RewardKind<z.output<typeof schema>> = {
  name: 'embedding',
  schema,
  judge: (entry, context, refuse) =>
    endpointJudge<readonly number[]>(entry, context, refuse, ({ options, signal, answer }) => {
      const client = new EmbeddingClient(options);
      const { model } = entry;
      const embed = (text: string) =>
        answer({ model, input: text }, isVector, () => client.embed(model, text, signal));
      return async ({ completion, record }) => {
        const references = referenceTexts(questionOf(record)?.open);
        if (references.length === 0) return { value: null, reason: 'the record wants no text' };
        const said = answerText(completion);
        if ('problem' in said) return { value: 0, reason: said.problem };
        if (said.text === '') return { value: 0, reason: 'empty answer' };
        const [own, ...others] = await Promise.all([said.text, ...references].map(embed));
        const values = others.map((other) => cosine(own as readonly number[], other));
        if (values.includes(undefined)) throw new Error(`${model} gave embeddings that cannot be compared`);
        const value = Math.max(...(values as number[]));
        return { value, reason: `cosine ${value.toFixed(3)}` };
      };
    }),
};

function isVector(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((x) => typeof x === 'number');
}
