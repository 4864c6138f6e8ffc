/** The reward for saying what kind of picture it is. */
import { z } from 'zod';
import { modalityName } from '../../data/index.js';
import { entrySchema, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

const schema = entrySchema('modality_tag', {
  /** Name of the tag; the prompt must ask for it. */
  tag: z
    .string()
    .regex(/^[a-z][a-z0-9_-]*$/i, 'is no name of a tag; use letters, digits, - and _')
    .default('modality'),
});

/** See {@link modalityTag}. */
export const modalityTagReward: RewardKind<z.output<typeof schema>> = {
  name: 'modality_tag',
  schema,
  judge: ({ tag }) => {
    const [open, inside] = [new RegExp(`</?${tag}>`, 'gi'), new RegExp(`<${tag}>([^<]*)</${tag}>`, 'i')];
    return (sample) => modalityTag(sample, open, inside);
  },
};

/** 1 where the one pair of tags holds the record's modality, however that is spelled. */
function modalityTag({ completion, record }: RewardSample, tags: RegExp, inside: RegExp): RewardResult {
  const { modality } = record;
  if (modality === undefined) return { value: null, reason: 'the record has no modality' };
  const said = inside.exec(completion)?.[1]?.trim();
  if (said === undefined || completion.match(tags)?.length !== 2)
    return { value: 0, reason: 'not one pair of tags' };
  const right = modalityName(said).toLowerCase() === modalityName(modality).toLowerCase();
  return { value: Number(right), reason: right ? said : `${said} instead of ${modality}` };
}
