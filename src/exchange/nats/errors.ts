/** What can go wrong between machines. */

/** One sentence. `refused`: somebody has to mend something before it makes sense to try again; `failed`: something broke. */
export class ClusterError extends Error {
  readonly kind: 'refused' | 'failed';

  constructor(kind: 'refused' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClusterError';
    this.kind = kind;
  }
}
