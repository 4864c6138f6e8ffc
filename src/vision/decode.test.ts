import { beforeAll, describe, expect, it } from 'vitest';
import { type DecodeOptions, decodeImage } from './decode.js';
import { ImageError } from './errors.js';
import { imageFormat } from './sniff.js';
import { ImageTally } from './tally.js';
import { fixture, fromBase64, sha256 } from './test-images.js';

interface Raster {
  file: string;
  height: number;
  width: number;
  rgb: string | null;
  sha256: string;
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

const file = (name: string) => fromBase64((rasters[name] as Raster).file);

describe('decodeImage', () => {
  it('equals Pillow bit for bit', async () => {
    for (const [name, raster] of Object.entries(rasters)) {
      const image = await decodeImage(fromBase64(raster.file), {
        name,
        ...OPTIONS[name.split(':')[0] as string],
      });
      expect([name, image.width, image.height]).toEqual([name, raster.width, raster.height]);
      if (raster.rgb !== null) expect([name, ...image.data]).toEqual([name, ...fromBase64(raster.rgb)]);
      expect([name, sha256(image.data)]).toEqual([name, raster.sha256]);
    }
  });

  it('takes the range of deep grey pictures by default', async () => {
    const image = await decodeImage(file('range:grey16.png'));
    expect(sha256(image.data)).toBe(rasters['range:grey16.png']?.sha256);
  });

  it('windows as DICOM does, by centre and width', async () => {
    const image = await decodeImage(file('range:grey16.png'), { window: { center: 2048, width: 4096 } });
    // LINEAR: (x - (c - 0.5)) / (w - 1) + 0.5, so 0 to 4095 here.
    expect(sha256(image.data)).toBe(rasters['0-4095:grey16.png']?.sha256);
  });

  it('refuses windows that are none', async () => {
    const decode = (window: unknown) => decodeImage(file('rgb.png'), { window: window as 'auto' });
    await expect(decode('soft')).rejects.toThrow('the window is neither');
    await expect(decode({ low: 3, high: 3 })).rejects.toThrow('has low 3, which is not below high 3');
    await expect(decode({ center: 3, width: 0 })).rejects.toThrow('a window is at least 1 wide');
    await expect(decodeImage(file('range:float.tif'), { window: 'full' })).rejects.toThrow('no full range');
  });

  it('refuses bombs before it decodes them', async () => {
    await expect(decodeImage(file('rgb.png'), { name: 'a.png', maxPixels: 599 })).rejects.toThrow(
      /^a\.png has .*pixels, over the limit of 599/,
    );
    // A valid header that claims 2^31 pixels over no data.
    const bomb = Uint8Array.from(file('rgb.png'));
    new DataView(bomb.buffer).setUint32(16, 1 << 16);
    new DataView(bomb.buffer).setUint32(20, 1 << 15);
    await expect(decodeImage(bomb, { name: 'b.png' })).rejects.toThrow(ImageError);
  });

  it('refuses what is cut off', async () => {
    for (const name of [
      'rgb.png',
      '420.jpg',
      'progressive.jpg',
      'lossy.webp',
      'lzw.tif',
      'raw.tif',
      'palette.gif',
    ]) {
      const whole = file(name);
      for (const share of [0.2, 0.5, 0.9]) {
        const cut = whole.subarray(0, Math.floor(whole.length * share));
        await expect(decodeImage(cut, { name }), `${name} ${share}`).rejects.toThrow(ImageError);
      }
    }
  });

  it('says what a foreign file is', async () => {
    const decode = (text: string) => decodeImage(new TextEncoder().encode(text), { name: 'x' });
    await expect(decode('')).rejects.toThrow('x is empty');
    await expect(decode('version https://git-lfs.github.com')).rejects.toThrow('git lfs pull');
    await expect(decode('<svg xmlns="http://www.w3.org/2000/svg"/>')).rejects.toThrow('text file');
    await expect(decode('BM........')).rejects.toThrow('BMP');
    await expect(decode('whatever')).rejects.toThrow('no PNG, JPEG, WebP, TIFF, GIF or DICOM');
    expect(imageFormat(file('lossy.webp'))).toBe('webp');
  });
});

describe('ImageTally', () => {
  it('counts and remembers what it skips', async () => {
    const tally = new ImageTally({ keep: 1 });
    expect(await tally.attempt(() => 3)).toBe(3);
    expect(tally.summary()).toBeUndefined();
    for (const name of ['a', 'b']) {
      expect(await tally.attempt(() => decodeImage(new Uint8Array(0), { name }))).toBeUndefined();
    }
    expect(tally).toMatchObject({ used: 1, skippedCount: 2, skipped: [{ file: 'a', problem: 'is empty' }] });
    expect(tally.summary()).toBe('skipped 2 of 3 images; the first: a is empty');
    await expect(tally.attempt(() => Promise.reject(new TypeError('bug')))).rejects.toThrow('bug');
  });
});
