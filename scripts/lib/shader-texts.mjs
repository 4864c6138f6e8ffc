/** `shaders/` as a module, for pages. */
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../shaders', import.meta.url));
/** What imports of the module end with. */
const MODULE = /[\\/]shader-texts\.js$/;

/** Texts by path. Lines that only comment are empty: errors name lines by their number. */
export function shaderTexts() {
  const files = fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.wgsl'));
  const text = (file) => fs.readFileSync(path.join(folder, file), 'utf8').replace(/^[ \t]*\/\/.*$/gm, '');
  return Object.fromEntries(files.sort().map((file) => [file.replaceAll(path.sep, '/'), text(file)]));
}

/** The module that `src/platform/browser/shader-texts.d.ts` declares. */
export function shaderModule() {
  return `export const SHADER_TEXTS = ${JSON.stringify(shaderTexts(), null, 1)};\n`;
}

/** Has rolldown find the module where sources are bundled as they are. */
export const shaderPlugin = {
  name: 'shader-texts',
  resolveId: (specifier) => (MODULE.test(specifier) ? '\0shader-texts.js' : null),
  load: (id) => (id === '\0shader-texts.js' ? shaderModule() : null),
};
