/** Runs in a worker of a tab: the kernel tests of some families. */
import { checkFamily, type Family } from './checks.js';
import type { TestResult } from './vitest.js';

/** A result, and whose. */
export type FamilyResult = TestResult & { readonly family: Family };

const scope = globalThis as unknown as {
  onmessage: (event: { data: readonly Family[] }) => void;
  postMessage(answer: object): void;
};
scope.onmessage = async ({ data }) => {
  const results: FamilyResult[] = [];
  try {
    for (const family of data) await checkFamily(family, (result) => results.push({ ...result, family }));
    scope.postMessage({ result: results });
  } catch (error) {
    scope.postMessage({ error: (error as Error).message });
  }
};
