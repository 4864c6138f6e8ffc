import sharp from 'sharp';
import { expect, it } from 'vitest';
import { decodeImage } from './decode.js';
import { imageSize } from './size.js';

it('reads the size that decoding gives, upright', async () => {
  const plain = sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } });
  for (const format of ['png', 'jpeg', 'webp', 'tiff'] as const) {
    const bytes = await plain.clone().withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
    const { width, height } = await decodeImage(bytes);
    const found = await imageSize(bytes);
    expect([format, found.width, found.height]).toEqual([format, width, height]);
  }
});

it('refuses what is no image', async () => {
  await expect(imageSize(new TextEncoder().encode('hello world, not an image'), 'a.png')).rejects.toThrow(
    /a\.png/,
  );
});
