import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_IMAGE_CONFIG, imageConfigJson, parseImageConfig, withPixelLimits } from './config.js';
import { ImageError } from './errors.js';

const parse = (value: unknown) => parseImageConfig(new TextEncoder().encode(JSON.stringify(value)), 'p.json');

describe('parseImageConfig', () => {
  it('takes the published values for what is missing', () => {
    expect(parse({})).toEqual(DEFAULT_IMAGE_CONFIG);
    expect(parse(imageConfigJson(DEFAULT_IMAGE_CONFIG))).toEqual(DEFAULT_IMAGE_CONFIG);
  });

  it('prefers min_pixels and max_pixels to size', () => {
    const size = { shortest_edge: 1000, longest_edge: 2000 };
    expect(parse({ size })).toMatchObject({ minPixels: 1000, maxPixels: 2000 });
    expect(parse({ size, max_pixels: 5000 })).toMatchObject({ minPixels: 1000, maxPixels: 5000 });
    expect(parse({ image_processor: { size } })).toMatchObject({ maxPixels: 2000 });
  });

  it('may ask for one size, and for another filter', () => {
    const size = { height: 896, width: 896 };
    const config = parse({ size, patch_size: 14, merge_size: 4, resample: 2, do_pan_and_scan: null });
    expect(config).toMatchObject({ exactSize: size, filter: 'bilinear' });
    expect(parse(imageConfigJson(config))).toEqual(config);
    expect(() => parse({ size: { height: 900, width: 896 } })).toThrow(
      'has the size 896x900; expected multiples',
    );
    expect(() => parse({ size: { height: 896 } })).toThrow('has the width 0, which is no positive');
    expect(() => parse({ do_pan_and_scan: true })).toThrow('has do_pan_and_scan: true');
    expect(() => withPixelLimits(config, { maxPixels: 5 })).toThrow('takes pictures of 896x896; leave out');
    expect(withPixelLimits(config, {})).toEqual(config);
  });

  it('refuses what it does not implement or understand', () => {
    expect(() => parse({ do_resize: false })).toThrow('p.json has do_resize: false');
    expect(() => parse({ resample: 1 })).toThrow('only 2 (bilinear) and 3 (bicubic)');
    expect(() => parse({ patch_size: 0 })).toThrow('has the patch_size 0');
    expect(() => parse({ patch_size: 1e9 })).toThrow('patches of a size');
    expect(() => parse({ image_mean: [1] })).toThrow('it is three numbers');
    expect(() => parse({ min_pixels: 1e12, max_pixels: 1e12 })).toThrow(
      'has min_pixels 1000000000000; at most 16777216 can be asked for',
    );
    expect(() => parse({ min_pixels: 10, max_pixels: 5 })).toThrow('min_pixels 10 over max_pixels 5');
    expect(() => parse([])).toThrow('not an object');
    expect(() => parseImageConfig(new Uint8Array([0xff]))).toThrow(ImageError);
    expect(() => withPixelLimits(DEFAULT_IMAGE_CONFIG, { maxPixels: 5 })).toThrow('the image settings');
  });

  it('never fails in another way, whatever the JSON', () => {
    const keys = [
      'min_pixels',
      'size',
      'image_mean',
      'patch_size',
      'rescale_factor',
      'image_processor',
    ] as const;
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 2 }), (key, value) => {
        try {
          parse({ [key]: value });
        } catch (error) {
          expect(error).toBeInstanceOf(ImageError);
        }
      }),
    );
  });
});
