import { describe, expect, it } from 'vitest';
import { HelperError } from '../ports/helpers.js';
import { nodeHelpers } from './helper.js';

/** A file whose footer claims to be longer than what is there, for a quick answer. */
const NOT_PARQUET = new Uint8Array(12);

describe('helpers', () => {
  it('answers requests that are under way at the same time', async () => {
    const helper = await nodeHelpers.start('parquet');
    const answers = await Promise.all([helper.ask(NOT_PARQUET), helper.ask(NOT_PARQUET)]);
    expect(answers).toEqual([{ error: expect.any(String) }, { error: expect.any(String) }]);
    expect(helper.hasEnded).toBe(false);
    helper.end();
  });

  it('fails what is under way, and what is asked later, where it is ended', async () => {
    const helper = await nodeHelpers.start('parquet');
    const answer = helper.ask(NOT_PARQUET);
    helper.end();
    await expect(answer).rejects.toMatchObject({ kind: 'ended' });
    await expect(helper.ask(NOT_PARQUET)).rejects.toBeInstanceOf(HelperError);
    expect(helper.hasEnded).toBe(true);
  });

  it('ends where an answer comes too late', async () => {
    const helper = await nodeHelpers.start('parquet');
    await expect(helper.ask(NOT_PARQUET, { seconds: 0 })).rejects.toMatchObject({ kind: 'late' });
    expect(helper.hasEnded).toBe(true);
  });

  it('ends where it has had nothing to do for a while', async () => {
    const helper = await nodeHelpers.start('parquet', { idleSeconds: 0.05 });
    await helper.ask(NOT_PARQUET);
    await expect.poll(() => helper.hasEnded).toBe(true);
  });

  it('ends where nobody waits any more', async () => {
    const helper = await nodeHelpers.start('parquet');
    const controller = new AbortController();
    const answer = helper.ask(NOT_PARQUET, { signal: controller.signal });
    controller.abort();
    await expect(answer).rejects.toMatchObject({ kind: 'aborted' });
    expect(helper.hasEnded).toBe(true);
  });
});
