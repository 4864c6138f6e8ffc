/** Tokens, prompts and pictures beside those of the Rust tokenizers and transformers' processor (reference/gemma3.py). */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  ChatTemplate,
  coderInPlace,
  encodePrompt,
  type Message,
  StreamDecoder,
  Tokenizer,
} from '../../../text/index.js';
import { parseImageConfig } from '../../../vision/config.js';
import { cropsOf } from '../../../vision/pan-and-scan.js';
import { imageGrids, imagesToPatches } from '../../../vision/patches.js';
import { picture, sha256 } from '../../../vision/test-images.js';
import { architecture, PUBLISHED } from '../../init/init.js';
import { parseConfig } from '../../registry.js';
import { GEMMA3_TEMPLATE } from '../gemma3-text/template.js';
import { GEMMA3_PICTURES } from './picture-text.js';

interface Cases {
  readonly encode: readonly { readonly text: string; readonly ids: number[] }[];
  readonly decode: readonly { readonly ids: number[]; readonly text: string; readonly skipped: string }[];
  readonly chat: readonly {
    readonly messages: Message[];
    readonly gen: boolean;
    readonly text: string;
    readonly pictures: readonly [height: number, width: number][];
    readonly ids: number[];
    readonly scanned: number[];
  }[];
  readonly pictures: readonly {
    readonly settings: Record<string, unknown>;
    readonly height: number;
    readonly width: number;
    readonly kind: string;
    readonly views: number;
    readonly sha256: string;
  }[];
}

const read = async (name: string) =>
  JSON.parse(await readFile(new URL(`fixtures/${name}`, import.meta.url), 'utf8'));

let cases: Cases;
let tokenizer: Tokenizer;
beforeAll(async () => {
  cases = await read('cases.json');
  tokenizer = new Tokenizer(await read('tokenizer.json'), { bos_token: '<bos>' });
});

describe('the tokenizer', () => {
  it('encodes as the Rust tokenizer does', () => {
    for (const { text, ids } of cases.encode) expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
  });

  it('decodes as the Rust tokenizer does, at once and as a stream', () => {
    for (const { ids, text, skipped } of cases.decode) {
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
      const stream = new StreamDecoder(tokenizer, { skipSpecialTokens: false });
      expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(text);
    }
  });

  it('of our own has the special ids of the published one, and takes merges in the byte alphabet', () => {
    const { raw, files } = architecture('medgemma-4b');
    const own = new Tokenizer(
      JSON.parse(files['tokenizer.json']),
      JSON.parse(files['tokenizer_config.json']),
    );
    const { tokens } = parseConfig(raw);
    expect([own.bosId, own.eosId, own.padId]).toEqual([tokens.bos, tokens.eos[0], tokens.pad]);
    expect(own.encode('<bos><start_of_image><image_soft_token><end_of_image><end_of_turn>')).toEqual([
      2,
      tokens.visionStart,
      tokens.image,
      tokens.visionEnd,
      tokens.eos[1],
    ]);
    expect(own.decode(own.encode('Ein Köder, \u4f60!'))).toBe('Ein Köder, \u4f60!');
    const merges = [
      ['Ġ', 't'],
      ['Ġt', 'h'],
      ['Ã', '¶'],
      ['Ã¶', 'd'],
    ] as const;
    const merged = architecture('tiny-gemma3', merges);
    const with4 = new Tokenizer(JSON.parse(merged.files['tokenizer.json']));
    expect(with4.encode(' th th')).toHaveLength(2);
    expect(with4.encode('öd')).toHaveLength(1);
  });
});

describe('prompts', () => {
  it("are those of the template and of transformers' processor, token for token", async () => {
    const coder = coderInPlace(
      tokenizer,
      new ChatTemplate({ source: GEMMA3_TEMPLATE, variables: { bos_token: '<bos>' } }),
    );
    for (const { messages, gen, text, pictures, ids, scanned } of cases.chat) {
      expect(await coder.render(messages, { addGenerationPrompt: gen })).toBe(text);
      if (!gen) continue;
      for (const [scan, expected] of [
        [false, ids],
        [true, scanned],
      ] as const) {
        const settings = { minCrop: 16, mostCrops: 3, leastRatio: 1.2 };
        const views = pictures.map(
          ([height, width]) => 1 + (scan ? cropsOf({ height, width }, settings).length : 0),
        );
        const found = await encodePrompt(coder, messages, {
          imageTokenId: tokenizer.requireId('<image_soft_token>'),
          imageCounts: views.flatMap((n) => Array<number>(n).fill(4)),
          pictureTexts: {
            placeholder: GEMMA3_PICTURES.placeholder,
            texts: views.map((n) => GEMMA3_PICTURES.text(n)),
          },
        });
        expect(found.ids).toEqual(expected);
      }
    }
  });

  it('are refused where a text has a placeholder of its own', async () => {
    const coder = coderInPlace(tokenizer, new ChatTemplate({ source: GEMMA3_TEMPLATE }));
    const messages: Message[] = [{ role: 'user', content: 'a <start_of_image>' }];
    const pictureTexts = { placeholder: GEMMA3_PICTURES.placeholder, texts: [] };
    await expect(encodePrompt(coder, messages, { pictureTexts, name: 'q' })).rejects.toThrow(
      'q has 1 image placeholders but 0 images',
    );
    const twice: Message[] = [
      { role: 'user', content: 'a' },
      { role: 'user', content: 'b' },
    ];
    await expect(coder.render(twice)).rejects.toThrow('roles must alternate');
  });
});

it("pictures and their crops are those of transformers' PIL backend, bit for bit", () => {
  for (const { settings, height, width, kind, views, sha256: hash } of cases.pictures) {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...settings, resample: 2 }));
    const { pictures: own } = parseConfig(PUBLISHED['medgemma-4b']).vision!;
    const config = parseImageConfig(bytes, 'p.json', own);
    const image = picture(height, width, kind);
    expect(imageGrids(image, config)).toEqual(Array(views).fill([1, 4, 4]));
    const { pixelValues, grids } = imagesToPatches([image], config);
    expect(grids).toHaveLength(views);
    expect(sha256(uncut(pixelValues, views, 56, 14))).toBe(hash);
  }
});

/** Patches back as pictures [views, 3, side, side]: one merged cell is all of a picture here, so they are in raster order. */
function uncut(patches: Float32Array, views: number, side: number, p: number): Float32Array {
  const out = new Float32Array(patches.length);
  const across = side / p;
  for (let at = 0; at < patches.length; at++) {
    const [x, y, c] = [at % p, Math.floor(at / p) % p, Math.floor(at / p ** 2) % 3];
    const patch = Math.floor(at / (3 * p ** 2));
    const [view, inner] = [Math.floor(patch / across ** 2), patch % across ** 2];
    const row = Math.floor(inner / across) * p + y;
    out[((view * 3 + c) * side + row) * side + (inner % across) * p + x] = patches[at];
  }
  expect(out.length).toBe(views * 3 * side ** 2);
  return out;
}
