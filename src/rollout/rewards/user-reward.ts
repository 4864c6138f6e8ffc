/** The rewards that users write: what a module's default export is. */
import type { RewardSample } from './reward.js';

/** What a module's function gets. */
export interface UserRewardInput extends RewardSample {
  /** `options` of the config's entry. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a module's function gives: a number, null where it does not apply, or either with a reason. */
export type UserRewardOutput = number | null | { readonly value: number | null; readonly reason?: string };

/** The default export of a reward module. */
export type UserReward = (input: UserRewardInput) => UserRewardOutput | Promise<UserRewardOutput>;
