import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_IMAGE_CONFIG, parseImageConfig, withPixelLimits } from './config.js';
import { imageGrid, imagesToPatches, imageTokenCount, normalisationTable } from './patches.js';
import { type Filter, resample } from './resample.js';
import { fixture, picture, sha256 } from './test-images.js';

interface Cases {
  processor: {
    /** Its preprocessor_config.json, where it is not that of Qwen2-VL. */
    settings?: Record<string, unknown>;
    height: number;
    width: number;
    kind: string;
    minPixels: number;
    maxPixels: number;
    grid: [number, number, number];
    sha256: string;
    first: number[];
    rowSums: number[];
  }[];
  batch: { grids: number[][]; sha256: string };
  resize: [number, number, string, number, number, Filter, string][];
}

let cases: Cases;
beforeAll(async () => {
  cases = await fixture('cases.json');
});

describe('resample', () => {
  it('equals Pillow bit for bit', () => {
    for (const [height, width, kind, newHeight, newWidth, filter, hash] of cases.resize) {
      const resized = resample(picture(height, width, kind), newWidth, newHeight, filter);
      expect([height, width, kind, newHeight, newWidth, filter, sha256(resized.data)]).toEqual([
        height,
        width,
        kind,
        newHeight,
        newWidth,
        filter,
        hash,
      ]);
    }
  });

  it('leaves an image of the right size alone', () => {
    const image = picture(28, 56, 'noise');
    expect(resample(image, 56, 28, 'bicubic')).toBe(image);
  });
});

describe('normalisation', () => {
  it('has the golden values', () => {
    const table = normalisationTable(DEFAULT_IMAGE_CONFIG);
    const red = [-1.7922625541687012, -1.777664065361023, 0.07633614540100098, 1.9303361177444458];
    expect([0, 1, 128, 255].map((level) => table[level])).toEqual(red);
    expect([table[256], table[256 + 255]]).toEqual([-1.7520971298217773, 2.0748836994171143]);
    expect([table[512], table[512 + 255]]).toEqual([-1.480219841003418, 2.1458969116210938]);
  });
});

describe('imagesToPatches', () => {
  it("equals transformers' PIL backend bit for bit", () => {
    for (const item of cases.processor) {
      const { settings } = item;
      const config = settings
        ? parseImageConfig(new TextEncoder().encode(JSON.stringify(settings)))
        : withPixelLimits(DEFAULT_IMAGE_CONFIG, item);
      const length = 3 * config.temporalPatchSize * config.patchSize ** 2;
      const { pixelValues, grids, patchLength } = imagesToPatches(
        [picture(item.height, item.width, item.kind)],
        config,
      );
      expect(grids).toEqual([item.grid]);
      expect(patchLength).toBe(length);
      expect(Array.from(pixelValues.subarray(0, 4))).toEqual(item.first);
      const sums = item.rowSums.map((_, row) =>
        pixelValues.subarray(row * length, (row + 1) * length).reduce((a, b) => a + b, 0),
      );
      sums.forEach((sum, row) => {
        expect(sum).toBeCloseTo(item.rowSums[row] as number, 6);
      });
      expect(sha256(pixelValues)).toBe(item.sha256);
    }
  });

  it('puts several images one after another', () => {
    const images = cases.processor.slice(0, 4).map(({ height, width, kind }) => picture(height, width, kind));
    const { pixelValues, grids } = imagesToPatches(images);
    expect(grids).toEqual(cases.batch.grids);
    expect(sha256(pixelValues)).toBe(cases.batch.sha256);
  });

  it('orders patches by merged block, and repeats a still image along time', () => {
    // One level per patch, told by its place.
    const data = new Uint8Array(56 * 84 * 3);
    for (let i = 0; i < data.length; i++) {
      const [y, x] = [Math.floor(i / 3 / 84), Math.floor(i / 3) % 84];
      data[i] = Math.floor(y / 14) * 6 + Math.floor(x / 14);
    }
    const { pixelValues, grids } = imagesToPatches([{ width: 84, height: 56, data }]);
    expect(grids).toEqual([[1, 4, 6]]);
    const table = normalisationTable(DEFAULT_IMAGE_CONFIG);
    const order = Array.from({ length: 24 }, (_, row) => table.indexOf(pixelValues[row * 1176] as number));
    expect(order.slice(0, 12)).toEqual([0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
    for (let row = 0; row < 24; row++) {
      for (let c = 0; c < 3; c++) {
        const at = row * 1176 + c * 392;
        expect(pixelValues.subarray(at, at + 196)).toEqual(pixelValues.subarray(at + 196, at + 392));
      }
    }
  });

  it('counts tokens without decoding', () => {
    const grid = imageGrid({ height: 480, width: 640 });
    expect(grid).toEqual([1, 34, 46]);
    expect(imageTokenCount(grid)).toBe(391);
  });

  it('names the image that cannot be used', () => {
    const thin = { width: 1, height: 201, data: new Uint8Array(603) };
    expect(() => imagesToPatches([thin], undefined, ['a.png'])).toThrow(
      'a.png has the size 1x201, over 200 times',
    );
    const short = { width: 28, height: 28, data: new Uint8Array(3) };
    expect(() => imagesToPatches([short])).toThrow('image 1 has 3 bytes for 28x28 pixels');
  });
});
