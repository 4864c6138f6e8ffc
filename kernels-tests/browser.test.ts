/** The entry `osler/browser`: small enough, without Node, and right in a tab of Chromium. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleBrowser } from '../scripts/lib/bundle-browser.mjs';
import { tabTests } from '../scripts/lib/tab-tests.mjs';
import { installedDrivers } from '../src/platform/launcher/installed.js';
import { fixture, fromBase64, sha256 } from '../src/vision/test-images.js';
import {
  askWorker,
  executablePath,
  openTab,
  plainEnvironment,
  type Tab,
  WHY_SKIPPED,
} from './support/tab.js';
import type { PictureOutcome, PictureTask } from './support/tab-pictures.js';
import { removeFolders, temporary } from './train/support.js';

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

/** Families whose shaders SwiftShader compiles in seconds; the page "This GPU" runs all. */
const QUICK = ['autograd', 'elementwise', 'embedding'];

/** What the harness tells of a test (page/harness/vitest.ts). */
interface FamilyResult {
  readonly family: string;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
}

/** What Node and the tab give of the same work. */
interface Used {
  readonly tier: string;
  readonly completions: object;
  readonly files: Record<string, string>;
}

describe.skipIf(executablePath === undefined)(`in a tab${WHY_SKIPPED}`, () => {
  let tab: Tab;
  beforeAll(async () => {
    const support = (name: string) => `kernels-tests/support/${name}.ts`;
    const { files } = await bundleBrowser({
      pictures: support('tab-pictures'),
      engine: support('tab-engine'),
    });
    const kernels = await bundleBrowser({ kernels: 'page/harness/tab-kernels.ts' }, { plugins: [tabTests] });
    const require = createRequire(import.meta.url);
    const wasm = ['charls/charls', 'openjpeg/openjpeg'].map((name) => {
      const [folder, file] = name.split('/') as [string, string];
      const path = `@cornerstonejs/codec-${folder}/decodewasm`;
      return [`${file}wasm_decode.wasm`, readFileSync(require.resolve(path))] as const;
    });
    const name = 'fixtures/embedding.safetensors';
    const fixtures = { [name]: readFileSync(fileURLToPath(new URL(name, import.meta.url))) };
    tab = await openTab({ ...kernels.files, ...files, ...Object.fromEntries(wasm), ...fixtures });
  });
  afterAll(() => tab?.close());
  afterAll(removeFolders);

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

  it('runs the tests of kernels as they are', async () => {
    const results = (await askWorker(tab.page, 'kernels.js', QUICK)) as FamilyResult[];
    const failed = results.filter(({ state }) => state === 'failed');
    expect(failed.map(({ family, name, reason }) => `${family}: ${name}: ${reason}`)).toEqual([]);
    expect(results.filter(({ state }) => state === 'passed').length).toBeGreaterThan(30);
    expect(new Set(results.map(({ family }) => family))).toEqual(new Set(QUICK));
  });

  // Half a minute and more: the one proof that a tab trains as Node does, and compiling for it takes that long.
  it('generates and trains as Node does on the same adapter, byte for byte', async ({ skip }) => {
    const driver = chromiumDriver();
    skip(!driver, 'Chromium brings no SwiftShader that Node can use');
    const folder = await temporary();
    const [inTab, inNode] = await Promise.all([
      askWorker(tab.page, 'engine.js', folder) as Promise<Used>,
      useNode(folder, driver as Record<string, string>),
    ]);
    expect(Object.keys(inTab.files)).toContain('run/checkpoints/step-000002/model.safetensors');
    // It names the adapter, which calls itself otherwise in a browser.
    const manifest = 'run/checkpoints/step-000002/manifest.json';
    for (const { files } of [inTab, inNode]) delete files[manifest];
    expect(inTab.files).toEqual(inNode.files);
    expect(inTab.completions).toEqual(inNode.completions);
  });
});

/** The environment that has Node use the SwiftShader of the Chromium that is tested. */
function chromiumDriver(): Record<string, string> | undefined {
  const found = installedDrivers(plainEnvironment()).find(({ name }) => name.startsWith('SwiftShader'));
  return found && { ...found.env, OSLER_DRIVER: 'system' };
}

async function useNode(folder: string, driver: Record<string, string>): Promise<Used> {
  const { files } = await bundleBrowser({ use: 'kernels-tests/support/use-engine.ts' });
  const apart = path.join(await temporary(), 'use');
  mkdirSync(apart);
  const use = path.join(apart, 'use.mjs');
  writeFileSync(use, files['use.js'] as string);
  const script = fileURLToPath(new URL('support/node-engine.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, use, folder], {
    env: { ...plainEnvironment(), ...driver },
    maxBuffer: 1 << 26,
  });
  return JSON.parse(stdout) as Used;
}

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
