/**
 * A reward module in a process of its own: one that spins, waits for ever, or ends its process ends the run with a sentence,
 * and never without one. It is no sandbox: the process may do all that its user may.
 *
 * Judgements are begun one after another, so that it is known which one spins, and then awaited side by side, as modules that
 * ask other services need. Time counts from the last sign of life, not from each beginning: judgements that compute share one
 * thread, and the last of them is not late because the others took their time.
 */
import { type Helper, HelperError, type Helpers } from '../../platform/ports/helpers.js';
import type { JudgeReply, JudgeRequest, LoadReply, LoadRequest, Logged } from './module-messages.js';
import { JudgementError } from './reward.js';
import type { UserRewardInput } from './user-reward.js';

/** Memory for a module's values, in MB: what Node itself allows on most machines. */
const MEGABYTES = 4096;

/** See above. */
export class ModuleProcess {
  readonly #helper: Helper;
  readonly #seconds: number;
  /** Judgements that have begun and are not done, by number. */
  readonly #begun = new Map<number, UserRewardInput>();
  /** The judgement that is being begun. */
  #beginning: UserRewardInput | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Why the process is gone: all that is under way fails with it. */
  #failure: JudgementError | undefined;

  /** Whether the module's function takes many inputs at once. */
  readonly batched: boolean;

  private constructor(helper: Helper, seconds: number, batched: boolean) {
    this.#helper = helper;
    this.#seconds = seconds;
    this.batched = batched;
  }

  /** Starts a process with a module; undefined where the module's default export is no function. */
  static async open(helpers: Helpers, path: string, seconds: number): Promise<ModuleProcess | undefined> {
    const helper = await helpers.start('reward', { megabytes: MEGABYTES, output: 'inherit' });
    let process: ModuleProcess | undefined;
    try {
      const request: LoadRequest = { load: path };
      const { found, batched } = (await helper.ask(request, { seconds })) as LoadReply;
      if (found) process = new ModuleProcess(helper, seconds, batched);
    } finally {
      if (!process) helper.end();
    }
    return process;
  }

  /**
   * What the module says of a sample, or of many where it is batched; throws what it throws, or a {@link JudgementError} where
   * it never says anything.
   */
  async judge(inputs: readonly UserRewardInput[]): Promise<{ output: unknown; logged: Logged }> {
    const id = ++this.#last;
    try {
      const reply = await this.#begin(id, inputs);
      return ('promise' in reply ? await this.#ask({ wait: id }) : reply) as {
        output: unknown;
        logged: Logged;
      };
    } finally {
      this.#begun.delete(id);
      this.#alive();
    }
  }

  /** Ends the process. */
  end(): void {
    clearTimeout(this.#timer);
    this.#helper.end();
  }

  /** Calls the module's function, once it has returned from the judgements before. */
  #begin(id: number, inputs: readonly UserRewardInput[]): Promise<JudgeReply> {
    const begun = this.#turn.then(async () => {
      const [input] = inputs as [UserRewardInput];
      this.#begun.set(id, input);
      this.#beginning = input;
      this.#alive();
      try {
        return await this.#ask({ begin: id, inputs });
      } finally {
        this.#beginning = undefined;
        this.#alive();
      }
    });
    this.#turn = begun.catch(() => {});
    return begun;
  }

  async #ask(request: JudgeRequest): Promise<JudgeReply> {
    try {
      return (await this.#helper.ask(request)) as JudgeReply;
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      throw this.#failure ?? this.#fail(`ended its process (${error.message})`);
    }
  }

  /** A sign of life: the time begins anew. */
  #alive(): void {
    clearTimeout(this.#timer);
    if (this.#begun.size === 0 || this.#failure) return;
    this.#timer = setTimeout(() => {
      this.#fail(`gave no answer within ${this.#seconds} s; the entry's timeout gives it longer`);
      this.#helper.end();
    }, this.#seconds * 1000);
  }

  /** Settles on whose fault it is: that of the judgement that is being begun, else of the one that began first. */
  #fail(problem: string): JudgementError {
    const [first] = this.#begun.values();
    const others = this.#begun.size - 1;
    const doubt =
      others > 0 ? `; if not on this one, then on one of ${others} that were under way with it` : '';
    this.#failure = new JudgementError(this.#beginning ?? first, problem + doubt);
    return this.#failure;
  }
}
