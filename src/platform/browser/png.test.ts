/** PNG by our own decoder, beside what Pillow gives; the rest of a browser's pictures is tested in one. */
import { beforeAll, expect, it } from 'vitest';
import { type DecodeOptions, decodeImage } from '../../vision/decode.js';
import { ImageError } from '../../vision/errors.js';
import { fixture, fromBase64, sha256 } from '../../vision/test-images.js';
import { type Platform, setPlatform } from '../current.js';
import { nodePlatform } from '../node/platform.js';
import type { Pictures } from '../ports/pictures.js';
import { webPictures } from './pictures.js';

interface Raster {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
}

let rasters: Record<string, Raster>;
beforeAll(async () => {
  rasters = await fixture('rasters.json');
});

const OPTIONS: Record<string, DecodeOptions> = {
  'on-white': { alpha: 'white' },
  range: { window: 'range' },
  '0-4095': { window: { low: 0, high: 4095 } },
  full: { window: 'full' },
};

/** Runs with other decoders in place of Node's. */
async function withPictures<T>(pictures: Pictures, body: () => Promise<T>): Promise<T> {
  const before = setPlatform({ ...nodePlatform, pictures });
  try {
    return await body();
  } finally {
    setPlatform(before as Platform);
  }
}

const decode = (bytes: Uint8Array, options: DecodeOptions = {}) =>
  withPictures(webPictures, () => decodeImage(bytes, options));

it('equals Pillow bit for bit', async () => {
  const names = Object.keys(rasters).filter((name) => name.endsWith('.png'));
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const raster = rasters[name] as Raster;
    const image = await decode(fromBase64(raster.file), { name, ...OPTIONS[name.split(':')[0] as string] });
    expect([name, image.width, image.height, sha256(image.data)]).toEqual([
      name,
      raster.width,
      raster.height,
      raster.sha256,
    ]);
  }
});

it('reads what sharp writes: palettes, interlaced rows, every filter', async () => {
  const { default: sharp } = await import('sharp');
  const [width, height] = [37, 23];
  const pixels = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * i * 7 + (i >> 5)) & 255);
  for (const options of [{ progressive: true }, { adaptiveFiltering: true }, { palette: true, colours: 5 }]) {
    for (const channels of [3, 4] as const) {
      const raw = { width, height, channels };
      const file = await sharp(pixels.subarray(0, width * height * channels), { raw })
        .png(options)
        .toBuffer();
      const expected = await decodeImage(file, { alpha: 'white' });
      expect(await decode(file, { alpha: 'white' }), JSON.stringify(options)).toEqual(expected);
    }
  }
});

it('refuses what is cut off, damaged or too large', async () => {
  const whole = fromBase64((rasters['rgb.png'] as Raster).file);
  for (const share of [0.2, 0.5, 0.9]) {
    await expect(decode(whole.subarray(0, whole.length * share))).rejects.toThrow('it ends early');
  }
  for (let at = 8; at < whole.length; at += 7) {
    const damaged = Uint8Array.from(whole);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    await decode(damaged).catch((error) => expect(error).toBeInstanceOf(ImageError));
  }
  await expect(decode(whole, { maxPixels: 599 })).rejects.toThrow('over the limit of 599');
});

it('says what a browser cannot read', async () => {
  const file = (name: string) => fromBase64((rasters[name] as Raster).file);
  await expect(decode(file('lzw.tif'), { name: 'x.tif' })).rejects.toThrow(
    'x.tif is a TIFF image, which cannot be read in a browser; convert it to PNG',
  );
  await expect(decode(file('cmyk.jpg'), { name: 'x.jpg' })).rejects.toThrow(
    'x.jpg is a JPEG image with CMYK',
  );
});
