/** What a model's folder has beside its weights and config.json. */
import { copyInto, join, namesIn } from '../platform/files.js';

const WEIGHTS = /\.safetensors$|\.index\.json$/;
const KNOWN = /\.(json|txt|model|jinja|md)$|^LICEN[CS]E/;

/** Copies it: tokenizer, templates, settings of pictures and of generation, and what is to be read. */
export async function copyOthers(from: string, to: string): Promise<void> {
  for (const name of await namesIn(from)) {
    if (name === 'config.json' || WEIGHTS.test(name) || !KNOWN.test(name)) continue;
    await copyInto(join(from, name), join(to, name));
  }
}
