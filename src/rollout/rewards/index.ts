/** Rewards: what a completion is worth, and why. */
export { conclusionOf } from '../../data/conclusion.js';
export { accuracy, consistency, format, REWARD_MODES, type RewardMode } from './answers.js';
export { buildRewards, REWARD_NAMES, type RewardConfig, type RewardContext, rewardsField } from './config.js';
export { type Reward, type RewardResult, type RewardSample, scoreAll } from './reward.js';
export { lengthInBand, overlong, repetition } from './shape.js';
export type { ImportModule, UserReward, UserRewardInput, UserRewardOutput } from './user.js';
