/** What `module-process.ts` and the helper `reward` say to each other. */
import type { UserRewardInput } from './user-reward.js';

/** To the helper, once: load the module. It answers whether that has a function as its default export. */
export interface LoadRequest {
  readonly load: string;
}

/** To the helper: call the module's function, or wait for the promise that it gave. */
export type JudgeRequest =
  | { readonly begin: number; readonly input: UserRewardInput }
  | { readonly wait: number };

/** From it: what the module gave, if that is no promise. */
export interface JudgeReply {
  readonly output?: unknown;
  readonly promise?: true;
}
