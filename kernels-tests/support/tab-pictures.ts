/** Runs in a worker of a tab: decodes pictures with what a browser has. */
import { decodeFrames, decodeImage } from '../../src/vision/decode.js';
import '../../src/platform/browser/install.js';
import { encodeImage } from '../../src/vision/encode.js';

/** A file to decode, in base64. */
export interface PictureTask {
  readonly name: string;
  readonly file: string;
  readonly options: object;
}

/** Its frames in base64, or what is wrong with it. */
export type PictureOutcome =
  | { readonly size: [number, number]; readonly frames: string[] }
  | { readonly error: string };

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const base64Of = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

async function decode({ name, file, options }: PictureTask): Promise<PictureOutcome> {
  try {
    const images = await decodeFrames(bytesOf(file), { name, ...options });
    const [{ width, height }] = images;
    return { size: [width, height], frames: images.map(({ data }) => base64Of(data)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** Written as WebP and PNG, and read again: the size, and how far a PNG is off. */
async function writeAndRead(): Promise<object> {
  const data = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 7) & 255);
  const image = { width: 40, height: 30, data };
  const png = await decodeImage(await encodeImage(image, { format: 'png' }));
  const webp = await decodeImage(await encodeImage(image, { format: 'webp', quality: 80, side: 20 }));
  return { isSame: png.data.every((value, i) => value === data[i]), small: [webp.width, webp.height] };
}

const scope = globalThis as unknown as {
  onmessage: (event: { data: readonly PictureTask[] }) => void;
  postMessage(answer: object): void;
};
scope.onmessage = async ({ data }) => {
  try {
    const pictures = await Promise.all(data.map(decode));
    scope.postMessage({ result: { pictures, written: await writeAndRead() } });
  } catch (error) {
    scope.postMessage({ error: (error as Error).message });
  }
};
