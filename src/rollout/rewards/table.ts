/** The rewards that Osler has: one row each. */
import type { z } from 'zod';
import { accuracyReward } from './accuracy.js';
import { consistencyReward } from './consistency.js';
import { embeddingReward } from './embedding.js';
import { formatReward } from './format.js';
import { iouReward } from './iou.js';
import { judgeReward } from './judge.js';
import type { RewardKind } from './kind.js';
import { lengthReward } from './length.js';
import { modalityTagReward } from './modality-tag.js';
import { moduleReward } from './module.js';
import { overlongReward } from './overlong.js';
import { repetitionReward } from './repetition.js';
import { textF1Reward } from './text-f1.js';

const ROWS = [
  accuracyReward,
  formatReward,
  consistencyReward,
  lengthReward,
  overlongReward,
  repetitionReward,
  textF1Reward,
  iouReward,
  modalityTagReward,
  judgeReward,
  embeddingReward,
  moduleReward,
] as const;

/** One reward of a config: which fields it has follows from its `name`. */
export type RewardConfig = z.output<(typeof ROWS)[number]['schema']>;

/** See above. */
export const REWARD_KINDS: readonly RewardKind<RewardConfig>[] = ROWS;
