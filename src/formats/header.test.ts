import { afterEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.js';
import { SafetensorsError } from './errors.js';
import { encode, put, useFolders } from './test-files.js';

const folder = useFolders(afterEach);
const U8 = (begin: number, end: number) => ({
  dtype: 'U8',
  shape: [end - begin],
  data_offsets: [begin, end],
});
const bytes = (n: number) => new Uint8Array(n);

async function errorOf(content: Uint8Array | string): Promise<SafetensorsError> {
  const path = await put(await folder(), 'x.safetensors', content);
  try {
    await (await openCheckpoint(path)).close();
  } catch (error) {
    expect(error).toBeInstanceOf(SafetensorsError);
    expect((error as SafetensorsError).message).toContain(path);
    expect((error as SafetensorsError).message).not.toContain('\n');
    return error as SafetensorsError;
  }
  throw new Error('the file was accepted');
}

function withLength(length: bigint, rest = bytes(32)): Uint8Array {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length);
  return Buffer.concat([prefix, rest]);
}

describe('malformed files are refused with a reason', () => {
  const one = (entry: object, data = 4) => encode({ t: { ...U8(0, 4), ...entry } }, bytes(data));
  const cases: [string, Uint8Array | string, RegExp, string?][] = [
    ['empty', '', /has 0 bytes, too few.*truncated/],
    ['seven bytes', bytes(7), /has 7 bytes, too few/],
    ['no header', bytes(8), /does not begin with '\{'/],
    ['header over 100 MB', withLength(100_000_001n), /100000001 bytes, over the limit/],
    ['largest length', withLength(2n ** 64n - 1n), /18446744073709551615 bytes, over the limit/],
    ['header over the file', withLength(33n), /header has 33 bytes but only 32 follow.*truncated/],
    ['git-lfs pointer', 'version https://git-lfs.github.com/spec/v1\n', /git lfs pull/],
    ['zip pickle', Buffer.from('PK\x03\x04aaaaaaaa', 'latin1'), /PyTorch pickle/],
    ['GGUF', Buffer.from('GGUF\x03aaaaaaaa', 'latin1'), /GGUF/],
    ['web page', '<!DOCTYPE html><html></html>', /web page/],
    ['bad JSON', encode('{"t": nope}'), /not valid JSON/],
    ['bad escape in a key', encode('{"\\x": 1}'), /not valid JSON/],
    ['BOM', encode('\ufeff{}'), /does not begin/],
    ['bad UTF-8', encode('{"a": 1}').fill(0xff, 10, 12), /not valid UTF-8/],
    ['array', encode('[1]'), /does not begin/],
    ['deep', encode(`{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`), /nested more than 32 deep/],
    ['many values', encode(`{"a":[${'{},'.repeat(2e6)}0]}`), /over 4000000 values/],
    ['same tensor twice', encode('{"t":{},"t":{}}'), /has the key "t" twice/],
    ['same tensor, escaped', encode('{"t":{},"\\u0074":{}}'), /has the key "t" twice/],
    ['same field', encode('{"t":{"dtype":"U8","dtype":"I8"}}'), /has the key "dtype" twice/],
    ['half a surrogate pair', encode('{"\\ud800":{}}'), /surrogate/, '\ud800'],
    ['entry is a number', encode({ t: 3 }), /tensor "t" has 3 for its description/, 't'],
    ['entry is null', encode({ t: null }), /tensor "t" has null/, 't'],
    ['entry is a list', encode({ t: [] }), /tensor "t" has \[\]/, 't'],
    ['no dtype', one({ dtype: undefined }), /unknown dtype nothing/, 't'],
    ['unknown dtype', one({ dtype: 'FP4' }), /unknown dtype "FP4"; known are BOOL, U8/, 't'],
    ['dtype from the prototype', one({ dtype: 'constructor' }), /unknown dtype/, 't'],
    ['shape missing', one({ shape: undefined }), /not a list of sizes/, 't'],
    ['shape negative', one({ shape: [-4] }), /has the size -4/, 't'],
    ['shape minus zero', encode('{"t":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'), /size -0/, 't'],
    ['shape fractional', one({ shape: [1.5] }), /has the size 1.5/, 't'],
    ['shape of strings', one({ shape: ['4'] }), /has the size "4"/, 't'],
    ['shape unsafe', one({ shape: [2 ** 53] }), /has the size 9007199254740992/, 't'],
    ['shape product overflows', one({ shape: [2 ** 40, 2 ** 40] }), /more than 2\^53-1/, 't'],
    ['shape product overflows to zero', one({ shape: [2 ** 40, 2 ** 40, 0] }), /more than 2\^53-1/, 't'],
    ['byte count overflows', one({ dtype: 'I64', shape: [2 ** 52] }), /more than 2\^53-1/, 't'],
    ['offsets missing', one({ data_offsets: undefined }), /data_offsets nothing/, 't'],
    ['three offsets', one({ data_offsets: [0, 4, 8] }), /data_offsets \[0, 4, 8\]/, 't'],
    ['offset negative', one({ data_offsets: [-4, 0] }), /data_offsets \[-4, 0\]/, 't'],
    ['offset fractional', one({ data_offsets: [0, 4.5] }), /data_offsets/, 't'],
    ['offset unsafe', one({ data_offsets: [0, 1e300] }), /data_offsets/, 't'],
    ['offsets reversed', one({ data_offsets: [4, 0] }), /end at 0, before they begin at 4/, 't'],
    ['wrong byte count', one({ dtype: 'F32' }), /4 bytes of data, but F32 \[4\] takes 16/, 't'],
    ['truncated data', one({}, 3), /ends at data byte 4, but the file has only 3.*truncated/, 't'],
    ['huge but consistent', one({ shape: [2 ** 40], data_offsets: [0, 2 ** 40] }), /truncated/, 't'],
    ['bytes after the end', one({}, 6), /has 2 bytes at its end that belong to no tensor/],
    ['hole at the start', encode({ t: U8(2, 4) }, bytes(4)), /leaving a hole after data byte 0/, 't'],
    ['hole', encode({ a: U8(0, 2), t: U8(3, 4) }, bytes(4)), /begins at data byte 3, leaving a hole/, 't'],
    [
      'overlap',
      encode({ a: U8(0, 3), t: U8(2, 4) }, bytes(4)),
      /byte 2, inside tensor "a", which ends at 3/,
      't',
    ],
    ['same range twice', encode({ a: U8(0, 4), t: U8(0, 4) }, bytes(4)), /inside tensor "a"/, 't'],
    ['empty inside', encode({ a: U8(0, 4), t: U8(2, 2) }, bytes(4)), /inside tensor "a"/, 't'],
    ['metadata a list', encode({ __metadata__: ['pt'] }), /for __metadata__/],
    ['metadata a number', encode({ __metadata__: { step: 3 } }), /has 3 for "step" in __metadata__/],
  ];

  it.each(cases)('%s', async (_, content, message, tensor) => {
    const error = await errorOf(content);
    expect(error.message).toMatch(message);
    expect(error.tensor).toBe(tensor);
  });

  it('escapes and shortens what the file says', async () => {
    const error = await errorOf(encode({ [`evil\u001b[31m\n${'x'.repeat(10_000)}`]: 1 }));
    expect(error.message.length).toBeLessThan(500);
    expect(error.message).not.toContain('\u001b');
  });
});

describe('unusual but valid files are read', () => {
  const cases: [string, Uint8Array, string[]][] = [
    ['no tensors', encode('{}'), []],
    ['padding', encode('{}   \n\t '), []],
    ['metadata null', encode({ __metadata__: null }), []],
    ['scalar', encode({ s: { dtype: 'F32', shape: [], data_offsets: [0, 4] } }, bytes(4)), ['s']],
    ['empty tensors', encode({ e: U8(4, 4), a: U8(0, 4), f: U8(0, 0) }, bytes(4)), ['f', 'a', 'e']],
    ['header out of order', encode({ b: U8(2, 4), a: U8(0, 2) }, bytes(4)), ['a', 'b']],
    [
      'unaligned',
      encode({ a: U8(0, 1), b: { dtype: 'F32', shape: [1], data_offsets: [1, 5] } }, bytes(5)),
      ['a', 'b'],
    ],
    ['unknown field', encode({ a: { ...U8(0, 1), note: { x: [1] } } }, bytes(1)), ['a']],
    [
      'names of all sorts',
      encode(`{"__proto__":${JSON.stringify(U8(0, 1))},"":${JSON.stringify(U8(1, 2))}}`, bytes(2)),
      ['__proto__', ''],
    ],
    [
      'same key in different objects',
      encode({ dtype: U8(0, 1), shape: U8(1, 2) }, bytes(2)),
      ['dtype', 'shape'],
    ],
  ];

  it.each(cases)('%s', async (_, content, names) => {
    const checkpoint = await openCheckpoint(await put(await folder(), 'x.safetensors', content));
    expect(checkpoint.names()).toEqual(names);
    for (const name of names) expect((await checkpoint.read(name)).length).toBe(checkpoint.info(name).bytes);
    await checkpoint.close();
  });
});
