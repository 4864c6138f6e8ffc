/** What a run is made from: the version, the config, and the files that it reads, by digest. */
import { stringify } from 'yaml';
import { fileDigest, join, namesIn } from '../platform/files.js';
import { OSLER_VERSION } from '../platform/version.js';
import { OUTPUT_FIELDS, parseYamlFile, type TrainingConfig } from './config/index.js';

/** See above. Equal runs have equal ones, wherever they write. */
export interface Origin {
  /** Version of Osler. */
  readonly osler: string;
  /** Digest of the config; see {@link configDigest}. */
  readonly config: string;
  /** SHA-256 of every file that was read at the start, by the path that the config leads to. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** What a run reads of a model's or an adapter's folder. */
const MODEL_FILE = /\.(json|jinja|safetensors)$/;

/** The origin of a run; reads every file once. `data` are the files that its task learns from. */
export async function originOf(config: TrainingConfig, data: readonly string[]): Promise<Origin> {
  const { model_name_or_path: model, adapter_name_or_path: adapter } = config;
  const files = [...(await modelFiles(model)), ...(adapter ? await modelFiles(adapter) : []), ...data];
  const inputs: Record<string, string> = {};
  for (const file of files) {
    const digest = await fileDigest(file);
    if (digest !== undefined) inputs[file] = digest;
  }
  return { osler: OSLER_VERSION, config: await configDigest(stringify(config)), inputs };
}

/** SHA-256 of the files of a model's or an adapter's folder, by name. */
export async function folderDigests(folder: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const file of await modelFiles(folder)) {
    digests[file.slice(join(folder, '').length).replace(/^\//, '')] = (await fileDigest(file)) as string;
  }
  return digests;
}

async function modelFiles(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => MODEL_FILE.test(name)).map((name) => join(folder, name));
}

/** Digest of a run's `config.yaml` without the fields on which no result depends, such as where it writes. */
export async function configDigest(yaml: string): Promise<string> {
  const fields = Object.entries(parseYamlFile('config.yaml', yaml));
  const rest = fields.filter(([name]) => !OUTPUT_FIELDS.some((field) => field === name));
  const bytes = new TextEncoder().encode(JSON.stringify(rest));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Compares origins with what is there now, reading each file once however many origins name it. */
export class Present {
  readonly #digests = new Map<string, Promise<string | undefined>>();

  /** What is otherwise now: a sentence for each. What an origin does not say is not compared. */
  async differences(origin: Partial<Origin>, yaml: string | undefined): Promise<string[]> {
    const problems: string[] = [];
    if (yaml !== undefined && origin.config !== undefined && (await configDigest(yaml)) !== origin.config) {
      problems.push('config.yaml is not the config that it was made with');
    }
    for (const [file, then] of Object.entries(origin.inputs ?? {})) {
      const now = await this.#digest(file);
      if (now === undefined) problems.push(`${file} is not there now`);
      else if (now !== then) problems.push(`${file} has changed since`);
    }
    return problems;
  }

  #digest(file: string): Promise<string | undefined> {
    const known = this.#digests.get(file) ?? fileDigest(file);
    this.#digests.set(file, known);
    return known;
  }
}
