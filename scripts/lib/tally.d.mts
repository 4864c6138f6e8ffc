/** What came of one test. */
export interface TestResult {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  readonly note?: string;
}

/** The results of one run of vitest; `finished` is false where its process ended before its end. */
export interface TestRun {
  readonly results: readonly TestResult[];
  readonly finished: boolean;
}

/** All runs of one `npm test`. */
export interface Tally {
  readonly passed: number;
  readonly failed: readonly TestResult[];
  readonly skipped: readonly TestResult[];
  readonly slow: readonly TestResult[];
}

/** Reads what the reporter wrote in a run whose process ended with `status` or by `signal`. */
export function readRun(text: string, ending: { status: number | null; signal: string | null }): TestRun;
/** Adds runs up. */
export function addUp(runs: readonly TestRun[]): Tally;
/** What `npm test` prints last. */
export function closingLines(tally: Tally): string[];
