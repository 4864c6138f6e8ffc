import { describe, expect, it } from 'vitest';
import { buildByteTokenizer } from './byte-tokenizer.js';
import { learnMerges } from './learn-merges.js';
import { Tokenizer } from './tokenizer.js';

describe('learnMerges', () => {
  it('joins what is seen most often first', () => {
    expect(learnMerges(['ab ab ab', 'abc abc'], 2)).toEqual([
      ['a', 'b'],
      ['Ġ', 'ab'],
    ]);
  });

  it('stops when nothing occurs twice, and stays within words', () => {
    expect(learnMerges(['ab cd'], 10)).toEqual([]);
    expect(learnMerges(['ab1 ab1 ab1'], 10)).toEqual([
      ['a', 'b'],
      ['Ġ', 'ab'],
    ]);
  });

  it('gives a tokenizer that reads its text in few tokens and gives it back', () => {
    const text = 'Which modality was used for this image? A) computed tomography B) größer';
    const merges = learnMerges([text, text], 500);
    const { tokenizer, config } = buildByteTokenizer({ merges });
    const loaded = new Tokenizer(tokenizer, config);
    const ids = loaded.encode(text);
    expect(ids.length).toBeLessThan(20);
    expect(loaded.decode(ids)).toBe(text);
  });
});
