/** Helpers as child processes of Node. */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import {
  type AskOptions,
  type Helper,
  HelperError,
  type HelperName,
  type HelperOptions,
  type Helpers,
} from '../ports/helpers.js';
import type { HelperReply, HelperRequest } from './helper-messages.js';

/** Node's helpers. */
export const nodeHelpers: Helpers = { together: Math.max(1, availableParallelism() - 1), start };

/** Helpers that live; they end with this process. */
const living = new Set<ChildProcess>();

async function start(
  name: HelperName,
  { megabytes = 2048, output = 'ignore', idleSeconds }: HelperOptions = {},
): Promise<Helper> {
  // By the package's own name for it: tests and benchmarks run from sources, which Node 20 could not start.
  const script = createRequire(import.meta.url).resolve(`#osler/helpers/${name}.js`);
  const child = fork(script, [], {
    execPath: nodePath(),
    execArgv: [`--max-old-space-size=${megabytes}`],
    serialization: 'advanced',
    // V8's last words on a heap that is full would alarm people; whoever asked says what they need to know.
    stdio: ['ignore', output, output, 'ipc'],
  });
  if (living.size === 0) process.once('exit', endAll);
  living.add(child);
  const helper = new ChildHelper(name, child, idleSeconds);
  await helper.ready;
  return helper;
}

function endAll(): void {
  for (const child of living) child.kill('SIGKILL');
}

/** Node started by a linker named on its command line takes that for itself. */
function nodePath(): string {
  return /^ld[-.]/.test(path.basename(process.execPath)) ? process.argv0 : process.execPath;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

class ChildHelper implements Helper {
  readonly ready: Promise<void>;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #idleSeconds: number | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #idle: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #last = 0;

  constructor(name: string, child: ChildProcess, idleSeconds: number | undefined) {
    this.#name = name;
    this.#child = child;
    this.#idleSeconds = idleSeconds;
    // Its first message, as if it had been asked for: it has loaded what it needs.
    this.ready = this.#answer(0).then(() => {});
    child.on('message', (message) => this.#take(message as HelperReply));
    child.on('exit', (code, signal) => this.#fail(code === null ? `by ${signal}` : `with exit code ${code}`));
    // One that cannot be started or written to ends as well, which is what whoever waits hears of.
    child.on('error', (error) => {
      child.kill('SIGKILL');
      this.#fail(error.message);
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async ask(request: unknown, { seconds, signal }: AskOptions = {}): Promise<unknown> {
    if (signal?.aborted) throw new HelperError('aborted', 'nobody waits for the answer');
    if (this.#hasEnded) throw new HelperError('ended', `the helper "${this.#name}" has ended`);
    this.#last++;
    const id = this.#last;
    const answer = this.#answer(id);
    const late = () => this.#stop(new HelperError('late', `no answer within ${seconds} s`), id);
    const abort = () => this.#stop(new HelperError('aborted', 'nobody waits for the answer'), id);
    const timer = seconds === undefined ? undefined : setTimeout(late, seconds * 1000);
    signal?.addEventListener('abort', abort);
    try {
      this.#child.send({ id, request } satisfies HelperRequest);
      return await answer;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  end(): void {
    this.#child.kill('SIGKILL');
    this.#fail('by whoever started it');
  }

  /** The answer to a request; this process stays alive for it. */
  async #answer(id: number): Promise<unknown> {
    clearTimeout(this.#idle);
    this.#child.ref();
    this.#child.channel?.ref();
    try {
      return await new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    } finally {
      if (this.#waiting.size === 0) {
        this.#child.unref();
        this.#child.channel?.unref();
        if (this.#idleSeconds !== undefined && !this.#hasEnded) {
          this.#idle = setTimeout(() => this.end(), this.#idleSeconds * 1000).unref();
        }
      }
    }
  }

  #take(message: HelperReply): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.answer);
  }

  /** Ends it for one request's sake. */
  #stop(error: HelperError, id: number): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.reject(error);
    this.end();
  }

  #fail(how: string): void {
    this.#hasEnded = true;
    clearTimeout(this.#idle);
    living.delete(this.#child);
    if (living.size === 0) process.off('exit', endAll);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    const error = new HelperError('ended', `the helper "${this.#name}" ended ${how}`);
    for (const { reject } of waiting) reject(error);
  }
}
