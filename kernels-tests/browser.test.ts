/** The entry `osler/browser`: small enough, without Node, and right in a tab of Chromium. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleBrowser } from '../scripts/lib/bundle-browser.mjs';
import { fixture, fromBase64, sha256 } from '../src/vision/test-images.js';
import { askWorker, executablePath, openTab, type Tab, WHY_SKIPPED } from './support/tab.js';
import type { PictureOutcome, PictureTask } from './support/tab-pictures.js';

/** What a page loads at most, in kB after gzip; the README says it, too. */
const MOST_KB = 330;

it('is one module without Node, of the size that is promised', async () => {
  const { files, missing } = await bundleBrowser({ browser: 'src/browser.ts' });
  expect(missing).toEqual([]);
  for (const text of Object.values(files)) expect(text).not.toMatch(/["'`]node:/);
  const kilobytes = gzipSync(files['browser.js'] as string).length / 1000;
  expect(kilobytes).toBeGreaterThan(MOST_KB / 2);
  expect(kilobytes).toBeLessThan(MOST_KB);
});

interface Raster {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
}

interface Dicom {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly frames: readonly string[];
  readonly tolerance: number;
  readonly options: object;
}

const OPTIONS: Record<string, object> = {
  'on-white': { alpha: 'white' },
  range: { window: 'range' },
  '0-4095': { window: { low: 0, high: 4095 } },
  full: { window: 'full' },
};
/** What browsers do not read is refused; the rest equals Pillow and pydicom. */
const REFUSED = /\.tif$|^cmyk\.jpg$|^alpha\.webp$/;

describe.skipIf(executablePath === undefined)(`in a tab${WHY_SKIPPED}`, () => {
  let tab: Tab;
  beforeAll(async () => {
    const { files } = await bundleBrowser({ pictures: 'kernels-tests/support/tab-pictures.ts' });
    const require = createRequire(import.meta.url);
    const wasm = ['charls/charls', 'openjpeg/openjpeg'].map((name) => {
      const [folder, file] = name.split('/') as [string, string];
      const path = `@cornerstonejs/codec-${folder}/decodewasm`;
      return [`${file}wasm_decode.wasm`, readFileSync(require.resolve(path))] as const;
    });
    tab = await openTab({ ...files, ...Object.fromEntries(wasm) });
  });
  afterAll(() => tab?.close());

  it('decodes pictures as everywhere, or says that it cannot', async () => {
    const rasters = await fixture<Record<string, Raster>>('rasters.json');
    const dicoms = await fixture<Record<string, Dicom>>('dicoms.json');
    const cut = ['420.jpg', 'progressive.jpg', 'lossy.webp', 'palette.gif'].flatMap((name) =>
      [0.2, 0.5, 0.9].map((share): PictureTask => {
        const whole = fromBase64((rasters[name] as Raster).file);
        const file = Buffer.from(whole.subarray(0, whole.length * share)).toString('base64');
        return { name: `${name} ${share}`, file, options: {} };
      }),
    );
    const tasks: PictureTask[] = [
      ...Object.entries(rasters).map(([name, { file }]) => {
        return { name, file, options: OPTIONS[name.split(':')[0] as string] ?? {} };
      }),
      ...Object.entries(dicoms).map(([name, { file, options }]) => ({ name, file, options })),
      ...cut,
    ];
    const { pictures, written } = (await askWorker(tab.page, 'pictures.js', tasks)) as {
      pictures: PictureOutcome[];
      written: object;
    };
    const wrong: string[] = [];
    for (const [i, { name }] of tasks.entries()) {
      const problem = problemOf(name, pictures[i] as PictureOutcome, rasters[name], dicoms[name]);
      if (problem) wrong.push(`${name}: ${problem}`);
    }
    expect(wrong).toEqual([]);
    expect(written).toEqual({ isSame: true, small: [20, 15] });
    expect(tab.complaints).toEqual([]);
  });
});

function problemOf(name: string, got: PictureOutcome, raster?: Raster, dicom?: Dicom): string | undefined {
  if (!raster && !dicom) return 'error' in got ? undefined : 'was decoded, though cut off';
  if (REFUSED.test(name)) {
    return 'error' in got && /browser.*; convert it to PNG$/.test(got.error) ? undefined : 'was not refused';
  }
  if ('error' in got) return got.error;
  const { width, height } = (raster ?? dicom) as { width: number; height: number };
  if (`${got.size}` !== `${[width, height]}`) return `has the size ${got.size}`;
  if (raster) return sha256(fromBase64(got.frames[0] as string)) === raster.sha256 ? undefined : 'differs';
  const { frames, tolerance } = dicom as Dicom;
  const differs = frames.some((frame, i) => {
    const [one, other] = [fromBase64(got.frames[i] as string), fromBase64(frame)];
    return one.some((level, at) => Math.abs(level - (other[at] as number)) > tolerance);
  });
  return differs ? 'differs' : undefined;
}
