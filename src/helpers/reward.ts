/** Runs a reward module for `rollout/rewards/module-process.ts`, which says why that needs a helper. */
import { answerRequests } from '../platform/node/helper-child.js';
import { importModule } from '../platform/node/import-module.js';
import { deepFreeze } from '../rollout/rewards/frozen.js';
import type { JudgeReply, JudgeRequest, LoadRequest } from '../rollout/rewards/module-messages.js';
import type { UserReward, UserRewardInput } from '../rollout/rewards/user-reward.js';

let judge: UserReward | undefined;
/** Promises that the module gave and nobody has waited for yet. */
const promises = new Map<number, Promise<unknown>>();

// What a command prints there is for programs; what a module prints is for people.
process.stdout.write = process.stderr.write.bind(process.stderr);

answerRequests((given) => {
  const request = given as LoadRequest | JudgeRequest;
  if ('load' in request) return load(request.load);
  return 'wait' in request ? wait(request.wait) : begin(request.begin, request.input);
});

/** Whether the module has a function as its default export. */
async function load(path: string): Promise<boolean> {
  const found = ((await importModule(path)) as { default?: unknown }).default;
  if (typeof found !== 'function') return false;
  judge = found as UserReward;
  return true;
}

function begin(id: number, input: UserRewardInput): JudgeReply {
  const output: unknown = judge?.(deepFreeze(input));
  if (typeof (output as PromiseLike<unknown> | null | undefined)?.then !== 'function') return { output };
  const promise = Promise.resolve(output);
  promises.set(id, promise);
  // Whoever waits for it hears of its failure.
  promise.catch(() => {});
  return { promise: true };
}

async function wait(id: number): Promise<JudgeReply> {
  const promise = promises.get(id);
  promises.delete(id);
  return { output: await promise };
}
