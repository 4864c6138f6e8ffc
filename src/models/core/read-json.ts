/** JSON files of a model folder. */
import { JsonProblem, parseJsonObject } from '../../formats/json.js';
import { folderReader } from '../../platform/files.js';
import { modelError } from './errors.js';
import type { JsonObject } from './json-fields.js';

/** Reads a folder's JSON file; undefined when there is none. */
export async function readJson(dir: string, name: string): Promise<JsonObject | undefined> {
  const bytes = await folderReader(dir)(name);
  if (!bytes) return undefined;
  try {
    return parseJsonObject(bytes);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw modelError(`${dir}/${name}`, error.message);
  }
}
