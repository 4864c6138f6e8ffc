import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageError } from './errors.js';
import { roundHalfEven, smartResize } from './smart-resize.js';

const limits = (minPixels: number, maxPixels: number) => ({
  minPixels,
  maxPixels,
  patchSize: 14,
  mergeSize: 2,
});
const PUBLISHED = limits(3136, 12845056);
const LIBRARY = limits(3136, 1003520);
const NARROW = limits(200704, 401408);

describe('smartResize', () => {
  it('has the golden sizes', () => {
    const golden: [typeof PUBLISHED, [number, number], [number, number], number][] = [
      [PUBLISHED, [224, 224], [224, 224], 64],
      [LIBRARY, [224, 224], [224, 224], 64],
      [NARROW, [224, 224], [448, 448], 256],
      [PUBLISHED, [480, 640], [476, 644], 391],
      [LIBRARY, [480, 640], [476, 644], 391],
      [NARROW, [480, 640], [476, 644], 391],
      [PUBLISHED, [1080, 1920], [1092, 1932], 2691],
      [LIBRARY, [1080, 1920], [728, 1316], 1222],
      [NARROW, [1080, 1920], [448, 840], 480],
      [PUBLISHED, [42, 42], [56, 56], 4],
      [PUBLISHED, [70, 98], [56, 112], 8],
      [PUBLISHED, [126, 154], [112, 168], 24],
      [PUBLISHED, [10, 10], [56, 56], 4],
      [PUBLISHED, [20, 30], [56, 84], 6],
      [PUBLISHED, [13, 2600], [28, 812], 29],
      [PUBLISHED, [28, 5600], [28, 5600], 200],
      [PUBLISHED, [4000, 6000], [2912, 4368], 16224],
      [LIBRARY, [4000, 6000], [812, 1204], 1247],
      [NARROW, [4000, 6000], [504, 756], 486],
      [PUBLISHED, [1365, 2048], [1372, 2044], 3577],
    ];
    for (const [config, [height, width], [h, w], tokens] of golden) {
      const size = smartResize({ height, width }, config);
      expect([height, width, size.height, size.width]).toEqual([height, width, h, w]);
      expect((size.height * size.width) / 784).toBe(tokens);
    }
  });

  it('gives whole merged patches for any image it takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20000 }), fc.integer({ min: 1, max: 20000 }), (height, width) => {
        fc.pre(Math.max(height, width) / Math.min(height, width) <= 200);
        for (const config of [PUBLISHED, LIBRARY, NARROW]) {
          const size = smartResize({ height, width }, config);
          expect(size.height % 28).toBe(0);
          expect(size.width % 28).toBe(0);
          expect(size.height).toBeGreaterThan(0);
          expect(size.width).toBeGreaterThan(0);
          expect(size.height * size.width).toBeGreaterThanOrEqual(config.minPixels * 0.5);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuses what no image is', () => {
    expect(() => smartResize({ height: 1, width: 201 }, PUBLISHED, 'a.png')).toThrow(
      'a.png has the size 201x1',
    );
    expect(smartResize({ height: 1, width: 200 }, PUBLISHED).height).toBe(28);
    for (const height of [0, -1, 1.5, Number.NaN]) {
      expect(() => smartResize({ height, width: 10 })).toThrow(ImageError);
    }
  });
});

describe('roundHalfEven', () => {
  it('rounds as Python does', () => {
    expect([0.5, 1.5, 2.5, 3.5, 0.49, 2.51, 7].map(roundHalfEven)).toEqual([0, 2, 2, 4, 0, 3, 7]);
  });
});
