/** Runs in a worker of a tab: has a browser's engine do what Node's does. */
import * as osler from '../../src/browser.js';
import { useEngine } from './use-engine.js';

const scope = globalThis as unknown as {
  onmessage: (event: { data: string }) => void;
  postMessage(answer: object): void;
};
scope.onmessage = async ({ data: folder }) => {
  try {
    const gpu = await osler.openGpu();
    await osler.files.makeFolder(folder);
    const { completions, files } = await useEngine(osler, gpu, osler.files, folder, 2);
    const { info, tier } = gpu;
    await gpu.destroy();
    scope.postMessage({ result: { adapter: info.name, tier, completions, files } });
  } catch (error) {
    scope.postMessage({ error: (error as Error).message });
  }
};
