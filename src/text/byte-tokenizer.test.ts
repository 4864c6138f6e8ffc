import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfToken, tokenOfBytes } from './byte-level.js';
import { buildByteTokenizer, SPECIAL_TOKENS } from './byte-tokenizer.js';
import { Tokenizer } from './tokenizer.js';

describe('buildByteTokenizer', () => {
  it('encodes any text as its bytes', () => {
    const { tokenizer, config, size } = buildByteTokenizer();
    const t = new Tokenizer(tokenizer, config);
    expect(size).toBe(256 + SPECIAL_TOKENS.length);
    expect(t.size).toBe(size);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
        const normal = text.normalize('NFC');
        expect(t.encode(text)).toEqual(Array.from(new TextEncoder().encode(normal)));
        expect(t.decode(t.encode(text))).toBe(normal);
      }),
    );
    expect(t.encode('<|im_start|>a<|image_pad|>')).toEqual([257, 97, 268]);
  });

  it("puts the special tokens where Qwen's config has them", () => {
    const { tokenizer, config, ids, size } = buildByteTokenizer({
      firstSpecialId: 151643,
      ordinary: ['<tool_call>', '</tool_call>'],
    });
    const t = new Tokenizer(tokenizer, config);
    expect(ids['<|im_end|>']).toBe(151645);
    expect(ids['<|vision_start|>']).toBe(151652);
    expect(ids['<|vision_end|>']).toBe(151653);
    expect(ids['<|vision_pad|>']).toBe(151654);
    expect(ids['<|image_pad|>']).toBe(151655);
    expect(ids['<|video_pad|>']).toBe(151656);
    expect(ids['<tool_call>']).toBe(151657);
    expect(size).toBe(151659);
    expect([t.eosId, t.padId, t.size]).toEqual([151645, 151643, 151659]);
    expect(t.decode([97, 5000, 151655, 98], { skipSpecialTokens: true })).toBe('ab');
  });

  it('takes merges', () => {
    const { tokenizer, config, ids } = buildByteTokenizer({
      merges: [
        ['a', 'n'],
        ['an', 's'],
        ['Ġ', 'an'],
      ],
    });
    const t = new Tokenizer(tokenizer, config);
    expect(t.encode('ans an')).toEqual([257, 258]);
    expect(ids['<|endoftext|>']).toBe(259);
    expect(() => buildByteTokenizer({ merges: [['ab', 'c']] })).toThrow('uses "ab" before it is made');
    expect(() => buildByteTokenizer({ firstSpecialId: 3 })).toThrow('at 256 or later');
  });
});

describe('the byte alphabet', () => {
  it('goes there and back', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(bytesOfToken(tokenOfBytes(all))).toEqual(all);
    expect(tokenOfBytes(new TextEncoder().encode(' \n'))).toBe('ĠĊ');
    expect(bytesOfToken('\u2581a')).toBeUndefined();
  });
});
