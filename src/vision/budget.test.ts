import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nodeHelpers } from '../platform/node/helper.js';
import { type AskOptions, HelperError, type Helpers } from '../platform/ports/helpers.js';
import { PictureBudget, type PictureLimits } from './budget.js';
import { DEFAULT_IMAGE_CONFIG } from './config.js';
import { ImageError } from './errors.js';
import { bytesPicture } from './picture.js';
import { fixture, fromBase64 } from './test-images.js';
import { answerPictureRequest, doPictureWork, type PictureRequest } from './work.js';

const RESIZE = { kind: 'resize', config: DEFAULT_IMAGE_CONFIG } as const;

/** One of each format and coding. */
const FIXTURES = [
  'u12',
  'rgba16.png',
  'frames.gif',
  'turned-6.jpg',
  'cmyk.tif',
  'alpha.webp',
  'u12-deflated',
  'u12-rle',
  'u12-lossless-1',
  'u12-ls',
  'u8-j2k',
  'jpeg',
];

describe('a helper', () => {
  /** Node's, all of which are ended after a test. */
  const started: { end(): void }[] = [];
  const helpers: Helpers = {
    together: 2,
    start: async (name, options) => {
      const helper = await nodeHelpers.start(name, options);
      started.push(helper);
      return helper;
    },
  };
  afterEach(() => {
    for (const helper of started.splice(0)) helper.end();
  });

  it('gives the bits and the words that decoding in place gives', async () => {
    const budget = new PictureBudget(helpers, { inPlacePixels: 0 });
    const sets = await Promise.all(
      ['rasters.json', 'dicoms.json'].map((set) => fixture<Record<string, { file: string }>>(set)),
    );
    const files: Record<string, { file: string }> = Object.assign({}, ...sets);
    const whole = FIXTURES.map((name) => ({
      ...RESIZE,
      name,
      bytes: fromBase64((files[name] as { file: string }).file),
    }));
    const cut = whole.slice(0, 2).map((request) => ({ ...request, bytes: request.bytes.subarray(0, -20) }));
    for (const request of [...whole, ...cut]) {
      const expected = await doPictureWork(request).catch(words);
      const found = await budget.make(bytesPicture(request.name, request.bytes), RESIZE).catch(words);
      expect(found).toEqual(expected);
    }
    expect(started.length).toBe(1);
  });

  it('is started neither for what is small nor for a header, unless that is deflated', async () => {
    const budget = new PictureBudget(helpers);
    const files = await fixture<Record<string, { file: string }>>('dicoms.json');
    const dicom = (name: string) => bytesPicture(name, fromBase64((files[name] as { file: string }).file));
    await budget.make(bytesPicture('a', await png(100, 100)), RESIZE);
    const size = await budget.size(dicom('u12'));
    expect(started).toEqual([]);
    expect(await budget.size(dicom('u12-deflated'))).toEqual(size);
    expect(started.length).toBe(1);
  });
});

describe('a budget', () => {
  let picture: ReturnType<typeof bytesPicture>;
  beforeAll(async () => {
    picture = bytesPicture('a.png', await png(100, 50));
  });

  it('has no more pixels and helpers under way than it may', async () => {
    for (const [pixels, together, most] of [
      [12_000, 9, 2],
      [1, 9, 1],
      [99_000, 3, 3],
    ] as const) {
      const fake = new FakeHelpers(together);
      const budget = fake.budget({ pixels });
      const made = Array.from({ length: 5 }, () => budget.make(picture, RESIZE));
      await expect(Promise.all(made)).resolves.toHaveLength(5);
      expect([fake.most, fake.started]).toEqual([most, most]);
    }
  });

  it('has no more files in memory than it may', async () => {
    let reading = 0;
    let most = 0;
    const counted = {
      name: 'b.png',
      read: async () => {
        most = Math.max(most, ++reading);
        const bytes = await picture.read();
        reading--;
        return bytes;
      },
    };
    const budget = new FakeHelpers(9).budget({ pictures: 2 });
    await Promise.all(Array.from({ length: 5 }, () => budget.make(counted, RESIZE)));
    expect(most).toBeLessThanOrEqual(2);
  });

  it('gives up what nobody waits for, whether it waits or is decoded', async () => {
    const fake = new FakeHelpers(1);
    const budget = fake.budget({});
    const [decoded, waiting] = [new AbortController(), new AbortController()];
    fake.isStuck = true;
    const first = budget.make(picture, RESIZE, decoded.signal);
    await expect.poll(() => fake.running).toBe(1);
    const second = budget.make(picture, RESIZE, waiting.signal);
    waiting.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    decoded.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    fake.isStuck = false;
    await expect(budget.make(picture, RESIZE)).resolves.toBeDefined();
    expect(fake.started).toBe(2);
  });

  it('names the picture whose helper takes too long or ends', async () => {
    const fake = new FakeHelpers(1);
    const budget = fake.budget({ seconds: 7 });
    fake.failure = new HelperError('late', 'no answer');
    await expect(budget.make(picture, RESIZE)).rejects.toThrow(/^a\.png takes more than 7 s to decode; /);
    fake.failure = new HelperError('ended', 'gone');
    await expect(budget.make(picture, RESIZE)).rejects.toMatchObject({
      name: 'ImageError',
      message: expect.stringMatching(/^a\.png takes more memory to decode than there is for it; /),
    });
    fake.failure = undefined;
    await expect(budget.make(picture, RESIZE)).resolves.toBeDefined();
  });
});

function words(error: unknown): readonly [string, string] {
  return error instanceof ImageError ? [error.file, error.problem] : ['not an ImageError', String(error)];
}

function png(width: number, height: number): Promise<Uint8Array> {
  return sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .png()
    .toBuffer();
}

/** Helpers in this process, which can be made to fail. */
class FakeHelpers implements Helpers {
  readonly together: number;
  started = 0;
  running = 0;
  most = 0;
  isStuck = false;
  failure: HelperError | undefined;

  constructor(together: number) {
    this.together = together;
  }

  /** A budget that has these helpers decode everything. */
  budget(limits: Partial<PictureLimits>): PictureBudget {
    return new PictureBudget(this, { inPlacePixels: 0, ...limits });
  }

  async start() {
    this.started++;
    const helper = {
      hasEnded: false,
      ask: async (request: unknown, { signal }: AskOptions = {}) => {
        this.most = Math.max(this.most, ++this.running);
        try {
          if (this.isStuck) {
            await new Promise((_, reject) =>
              signal?.addEventListener('abort', () => reject(new HelperError('aborted', 'nobody waits'))),
            );
          }
          if (this.failure) throw this.failure;
          return await answerPictureRequest(request as PictureRequest);
        } catch (error) {
          helper.end();
          throw error;
        } finally {
          this.running--;
        }
      },
      end: () => {
        helper.hasEnded = true;
      },
    };
    return helper;
  }
}
