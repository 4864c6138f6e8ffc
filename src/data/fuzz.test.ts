import { describe, expect, it } from 'vitest';
import { fuzzReader, READER_SEEDS } from './test-fuzz.js';

// bench/fuzz does the same for hours, and lets new code that an input reaches lead it.
describe('readers survive mutated input', () => {
  it.each(Object.keys(READER_SEEDS))('%s', async (name) => {
    const { inputs, samples, problems } = await fuzzReader(name, { bytes: 150_000, seed: 5 });
    expect(inputs).toBeGreaterThan(20);
    // Both outcomes happen, or the mutations test nothing.
    expect(samples).toBeGreaterThan(0);
    expect(problems).toBeGreaterThan(0);
  });
});
