import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildByteTokenizer } from './byte-tokenizer.js';
import { TextError } from './errors.js';
import { StreamDecoder } from './stream.js';
import { cases, fixtureTokenizer, folderOf } from './test-files.js';
import { loadTokenizer, Tokenizer } from './tokenizer.js';

let tokenizer: Tokenizer;
let known: Awaited<ReturnType<typeof cases>>;
beforeAll(async () => {
  tokenizer = await fixtureTokenizer();
  known = await cases();
});

function stream(t: Tokenizer, ids: readonly number[], skipSpecialTokens = false): string {
  const decoder = new StreamDecoder(t, { skipSpecialTokens });
  return ids.map((id) => decoder.push(id)).join('') + decoder.flush();
}

describe('Tokenizer', () => {
  it('encodes as the Rust tokenizer does', () => {
    for (const { text, ids } of known.encode) expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
  });

  it('decodes as the Rust tokenizer does, at once and as a stream', () => {
    for (const { ids, text, skipped } of known.decode) {
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
      expect(stream(tokenizer, ids)).toBe(text);
      expect(stream(tokenizer, ids, true)).toBe(skipped);
    }
  });

  it('knows its special tokens', () => {
    expect(tokenizer.eosId).toBe(tokenizer.requireId('<|im_end|>'));
    expect(tokenizer.padId).toBe(tokenizer.requireId('<|endoftext|>'));
    expect(tokenizer.bosId).toBeUndefined();
    expect(tokenizer.specialIds.has(tokenizer.requireId('<|image_pad|>'))).toBe(true);
    expect(tokenizer.specialIds.has(tokenizer.requireId('<tool_call>'))).toBe(false);
    expect(tokenizer.size).toBe(528);
    expect(() => tokenizer.requireId('<|nope|>')).toThrow('has no token "<|nope|>"');
  });

  it('gives nothing for ids without a token', () => {
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([100_000])).toBe('');
    expect(stream(tokenizer, [100_000, ...tokenizer.encode('a'), 600])).toBe('a');
  });

  it('round-trips any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const ids = tokenizer.encode(text);
        // Lone surrogates are no text: they turn into U+FFFD.
        const expected = text.toWellFormed().normalize('NFC');
        expect(tokenizer.decode(ids)).toBe(expected);
        expect(stream(tokenizer, ids)).toBe(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('streams only whole characters', () => {
    const decoder = new StreamDecoder(tokenizer);
    const pieces = Array.from(new TextEncoder().encode('é🩻'), (byte) =>
      decoder.push(tokenizer.requireId(String.fromCodePoint(byteCharacter(byte)))),
    );
    expect(pieces).toEqual(['', 'é', '', '', '', '🩻']);
    expect(decoder.flush()).toBe('');
  });

  it('replaces a character that never ends', () => {
    const decoder = new StreamDecoder(tokenizer);
    expect(decoder.push(tokenizer.requireId(String.fromCodePoint(byteCharacter(0xf0))))).toBe('');
    expect(decoder.flush()).toBe('\ufffd');
  });
});

/** Bytes above 0xa0 stand for themselves; 0x80 to 0xa0 come after the 33 of 0x00 to 0x20 and 0x7f. */
function byteCharacter(byte: number): number {
  if (byte === 0xad) return 0x143;
  return byte > 0xa0 ? byte : 0x100 + 34 + (byte - 0x80);
}

describe('a tokenizer of the older kind', () => {
  // As in Llama 2: words begin with U+2581, unknown characters fall back to bytes.
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const entries = ['<unk>', '<s>', '</s>', ...bytes, '\u2581', 'a', 'b', '\u2581a'];
  const llama = new Tokenizer({
    added_tokens: [1, 2].map((id) => ({ id, content: entries[id], special: true, normalized: false })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '\u2581' },
        { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      fuse_unk: true,
      vocab: Object.fromEntries(entries.map((entry, id) => [entry, id])),
      merges: ['\u2581 a'],
    },
  });

  it('streams what it decodes', () => {
    for (const text of ['a b', 'ab a', 'a🩻b é', 'ba 你好']) {
      const ids = llama.encode(text);
      expect(llama.decode(ids)).toBe(text);
      expect(stream(llama, ids)).toBe(text);
    }
  });

  it('does not hold back text for ever', () => {
    const decoder = new StreamDecoder(llama);
    const broken = llama.requireId('<0x80>');
    const given = Array.from({ length: 20 }, () => decoder.push(broken)).join('');
    expect(given.length).toBeGreaterThan(10);
  });
});

describe('loadTokenizer', () => {
  it('reads a checkpoint', async () => {
    const { files, ids } = buildByteTokenizer();
    const loaded = await loadTokenizer(folderOf(files), 'dir');
    expect(loaded.eosId).toBe(ids['<|im_end|>']);
    expect(loaded.file).toBe('dir/tokenizer.json');
  });

  it('names what is wrong', async () => {
    const load = (files: Record<string, unknown>) => loadTokenizer(folderOf(files), 'dir');
    await expect(load({})).rejects.toThrow('dir/tokenizer.json does not exist');
    await expect(load({ 'tokenizer.json': '{' })).rejects.toThrow('dir/tokenizer.json is not valid JSON');
    await expect(load({ 'tokenizer.json': 'version https://git-lfs.github.com/spec/v1' })).rejects.toThrow(
      'git lfs pull',
    );
    await expect(load({ 'tokenizer.json': '[]' })).rejects.toThrow('not an object');
    await expect(load({ 'tokenizer.json': {} })).rejects.toThrow('has no "model"');
    await expect(load({ 'tokenizer.json': { model: { type: 'Nope', vocab: {} } } })).rejects.toThrow(
      TextError,
    );
    const ids = { model: { type: 'BPE', vocab: { a: 1e9 }, merges: [] } };
    await expect(load({ 'tokenizer.json': ids })).rejects.toThrow('gives the token "a" the id 1000000000');
    const added = { model: { type: 'BPE', vocab: {}, merges: [] }, added_tokens: [{ id: -1, content: 'x' }] };
    await expect(load({ 'tokenizer.json': added })).rejects.toThrow('the id -1');
  });

  it('refuses what would be slow to load or to decode', async () => {
    const load = (fields: Record<string, unknown>) => {
      const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
      return loadTokenizer(folderOf({ 'tokenizer.json': { model, ...fields } }), 'dir');
    };
    const added = Array.from({ length: 300_000 }, (_, id) => ({ id, content: `<${id}>` }));
    await expect(load({ added_tokens: added })).rejects.toThrow(
      'dir/tokenizer.json has 300000 added tokens, more than 65536',
    );
    const long = { type: 'BPE', vocab: { ['a'.repeat(5000)]: 0 }, merges: [] };
    await expect(load({ model: long })).rejects.toThrow('of 5000 characters, more than 4096');

    const replace = (content: string, pattern: object = { String: 'a' }) => ({
      type: 'Replace',
      pattern,
      content,
    });
    const sequence = (decoders: unknown[]) => ({ decoder: { type: 'Sequence', decoders } });
    await expect(load(sequence(Array(17).fill({ type: 'Fuse' })))).rejects.toThrow(
      'a decoder of 17 steps, more than 16',
    );
    await expect(load(sequence([replace('aaaaaaaaa'), replace('aaaaaaaaa')]))).rejects.toThrow(
      'can make a text 81 times as long, more than 64',
    );
    const problem = 'a decoder that replaces something else than a text by one without "$"';
    await expect(load(sequence([replace('', { Regex: '(a+)+$' })]))).rejects.toThrow(problem);
    await expect(load(sequence([replace('$`')]))).rejects.toThrow(problem);
    const deep = `${'{"type":"Sequence","decoders":['.repeat(1e5)}${']}'.repeat(1e5)}`;
    const text = `{"model":{"type":"BPE","vocab":{},"merges":[]},"decoder":${deep}}`;
    await expect(loadTokenizer(folderOf({ 'tokenizer.json': text }), 'dir')).rejects.toThrow(
      'a decoder of more than 4 levels',
    );
  });

  it('never fails in another way, whatever the JSON', async () => {
    const base = { version: '1.0', added_tokens: [], decoder: { type: 'ByteLevel' } };
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue({ maxDepth: 3 }),
        fc.constantFrom('model', 'added_tokens', 'decoder', 'normalizer', 'pre_tokenizer'),
        async (value, key) => {
          const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
          try {
            const t = await loadTokenizer(folderOf({ 'tokenizer.json': { model, ...base, [key]: value } }));
            t.encode('a');
          } catch (error) {
            expect(error).toBeInstanceOf(TextError);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
