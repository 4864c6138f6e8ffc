/** Hostile images: whatever the bytes, decoding gives a picture within the limits or throws an ImageError. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeFrames } from './decode.js';
import { ImageError } from './errors.js';
import { fixture, fromBase64 } from './test-images.js';

const MAX_PIXELS = 100_000;
/** Processor time, which other work on the machine does not lengthen. No decoding of these small files takes nearly as long. */
const MAX_MILLISECONDS = 5_000;

let files: Uint8Array[];
beforeAll(async () => {
  const names = ['rasters.json', 'dicoms.json'];
  const all = await Promise.all(names.map((name) => fixture<Record<string, { file: string }>>(name)));
  files = all.flatMap((set) => Object.values(set).map(({ file }) => fromBase64(file)));
});

async function decodeOrRefuse(bytes: Uint8Array): Promise<void> {
  const start = process.cpuUsage();
  try {
    const images = await decodeFrames(bytes, { maxPixels: MAX_PIXELS });
    let pixels = 0;
    for (const { width, height, data } of images) {
      expect(data.length).toBe(width * height * 3);
      pixels += width * height;
    }
    expect(pixels).toBeGreaterThan(0);
    expect(pixels).toBeLessThanOrEqual(MAX_PIXELS);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    expect(error.message).not.toMatch(/\p{Cc}/u);
  }
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1000).toBeLessThan(MAX_MILLISECONDS);
}

describe('hostile images', () => {
  it('with bytes changed', async () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      // Sizes and markers lie at the beginning.
      early: fc.boolean(),
      value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(edit, { minLength: 1, maxLength: 6 }), async (pick, edits) => {
        const bytes = Uint8Array.from(files[pick % files.length] as Uint8Array);
        const begin = bytes[128] === 0x44 ? 128 : 0;
        for (const { at, early, value } of edits) {
          const range = early ? Math.min(400, bytes.length - begin) : bytes.length - begin;
          bytes[begin + Math.floor(at * range)] = value;
        }
        await decodeOrRefuse(bytes);
      }),
      { numRuns: 600 },
    );
  });

  it('cut off, doubled or with a piece missing', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(fc.nat(), share, share, async (pick, a, b) => {
        const bytes = files[pick % files.length] as Uint8Array;
        const [i, j] = [Math.floor(a * bytes.length), Math.floor(b * bytes.length)];
        const out = new Uint8Array(i + bytes.length - j);
        out.set(bytes.subarray(0, i));
        out.set(bytes.subarray(j), i);
        await decodeOrRefuse(out);
      }),
      { numRuns: 300 },
    );
  });

  it('that are noise behind a signature', async () => {
    const signatures = [
      '\x89PNG\r\n\x1a\n',
      '\xff\xd8\xff',
      'II*\0',
      'MM\0*',
      'GIF89a',
      `${'\0'.repeat(128)}DICM`,
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...signatures),
        fc.uint8Array({ maxLength: 300 }),
        async (signature, noise) => {
          const head = Uint8Array.from(signature, (c) => c.charCodeAt(0));
          const bytes = new Uint8Array(head.length + noise.length);
          bytes.set(head);
          bytes.set(noise, head.length);
          await decodeOrRefuse(bytes);
        },
      ),
      { numRuns: 200 },
    );
  });
});
