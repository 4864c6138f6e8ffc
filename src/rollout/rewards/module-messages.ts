/** What `module-process.ts` and the helper `reward` say to each other. */
import type { UserRewardInput } from './user-reward.js';

/** To the helper, once: load the module. */
export interface LoadRequest {
  readonly load: string;
}

/** Its answer: whether the module has a function as its default export, and whether that takes many inputs at once. */
export interface LoadReply {
  readonly found: boolean;
  readonly batched: boolean;
}

/** To the helper: call the module's function with the inputs, one unless it is batched, or wait for the promise that it gave. */
export type JudgeRequest =
  | { readonly begin: number; readonly inputs: readonly UserRewardInput[] }
  | { readonly wait: number };

/** What a module logged while it judged. */
export interface Logged {
  readonly metrics: readonly (readonly [string, number])[];
  readonly extras: readonly (readonly [string, unknown])[];
}

/** From it: what the module gave and logged, if that is no promise. */
export type JudgeReply = { readonly promise: true } | { readonly output: unknown; readonly logged: Logged };
