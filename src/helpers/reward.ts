/** Runs a reward module for `rollout/rewards/module-process.ts`, which says why that needs a helper. */
import { answerRequests } from '../platform/node/helper-child.js';
import { importModule } from '../platform/node/import-module.js';
import { type CallableModule, callableModule } from '../rollout/rewards/call-module.js';
import type { JudgeReply, JudgeRequest, LoadReply, LoadRequest } from '../rollout/rewards/module-messages.js';
import type { RewardModule, UserRewardInput } from '../rollout/rewards/user-reward.js';

let module: CallableModule | undefined;
/** What the module gave promises for that nobody has waited for yet. */
const promises = new Map<number, Promise<JudgeReply>>();

// What a command prints there is for programs; what a module prints is for people.
process.stdout.write = process.stderr.write.bind(process.stderr);

answerRequests((given) => {
  const request = given as LoadRequest | JudgeRequest;
  if ('load' in request) return load(request.load);
  return 'wait' in request ? wait(request.wait) : begin(request.begin, request.inputs);
});

async function load(path: string): Promise<LoadReply> {
  module = callableModule((await importModule(path)) as RewardModule);
  return { found: module !== undefined, batched: module?.batched === true };
}

function begin(id: number, inputs: readonly UserRewardInput[]): JudgeReply {
  const { output, logged } = (module as CallableModule).call(inputs);
  if (typeof (output as PromiseLike<unknown> | null | undefined)?.then !== 'function')
    return { output, logged };
  const promise = Promise.resolve(output).then((settled): JudgeReply => ({ output: settled, logged }));
  promises.set(id, promise);
  // Whoever waits for it hears of its failure.
  promise.catch(() => {});
  return { promise: true };
}

async function wait(id: number): Promise<JudgeReply> {
  const promise = promises.get(id);
  promises.delete(id);
  return promise as Promise<JudgeReply>;
}
