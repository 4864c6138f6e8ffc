/** Rewards: what a completion is worth, and why. */
export { buildRewards, earlierRewards, rewardFiles, rewardsField } from './config.js';
export type { ImportModule, RewardContext } from './kind.js';
export { type Reward, type RewardResult, type RewardSample, scoreAll } from './reward.js';
export type { RewardConfig } from './table.js';
export type {
  BatchedUserReward,
  UserReward,
  UserRewardInput,
  UserRewardLog,
  UserRewardOutput,
} from './user-reward.js';
