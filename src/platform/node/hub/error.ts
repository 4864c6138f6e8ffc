/** The one error that fetching from the hub throws. */

/** A pull that cannot go on. The message is one sentence naming the model or file, the problem, and the fix. */
export class HubError extends Error {
  /** `refused`: what was asked for cannot be had; `failed`: it did not arrive, and may the next time. */
  readonly kind: 'refused' | 'failed';

  constructor(kind: 'refused' | 'failed', message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'HubError';
    this.kind = kind;
  }
}
