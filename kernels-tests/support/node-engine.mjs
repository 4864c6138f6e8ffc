/** `node node-engine.mjs USE FOLDER`: has Node's engine do what a tab does; USE is use-engine.ts as JavaScript. Prints JSON. */
import * as osler from '../../dist/index.js';
import { nodePlatform } from '../../dist/platform/node/platform.js';

const [use, folder] = process.argv.slice(2);
const { useEngine } = await import(use);
await osler.ensureDriver();
const gpu = await osler.openGpu();
const { completions, files } = await useEngine(osler, gpu, nodePlatform.files, folder, 2);
const { info, tier } = gpu;
await gpu.destroy();
console.log(JSON.stringify({ adapter: info.name, tier, completions, files }));
process.exit(0);
