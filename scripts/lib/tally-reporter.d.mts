import type { Reporter } from 'vitest/node';

/** Writes each result to `file` as it comes. */
export class TallyReporter implements Reporter {
  constructor(file: string);
}
